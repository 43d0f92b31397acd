"""One job, from the flags to the files.

flags       flags that several scripts have, and what they come to
batch       many jobs: a file of lines, from what it asks for to the results of all
create      a command that creates
existing    going on with the jobs of the ledger
listing     the jobs of all ledgers, told and settled
canceling   cancelling a job at its service
guide       from nothing to a saved file: what stands in the way, and the command that goes on
readiness   what is known about one service before anything is bought
keeping     a key in the user's own store
own_services  the services that the user adds and gives up
account     what else can be done with an account
action      one of its actions, from its flags
acting      the same, carried out
owned       a file that the account owns, by its name
bringing    a file that is brought to a service by itself
judging     what the answer to an action comes to
plan        what a create would send
purchase    from a request, or a job of the ledger, to a job that can be driven
orders      a request as the orders of the ledger, and what the ledgers know of the same
uploader    files to a service, in one request or in two
uploads     inputs on their way to a service, before anything is bought
sources     where inputs come from
job         one job, from its start to its result line
delivery    from a terminal answer to files, events and a delivered entry
report      the result line, and the command that goes on
driver      between the machine and the wire
streamed    a stream, read for the machine
intake      what answers come to, and what is noted and kept of them
outgoing    what is asked, one request at a time
places      where the requests of one job go
looking     whether a job is in its service's list of jobs
reading     what the answers about one job say (pure)
start       how a job begins
kept        answers to paid requests that do not fit
price       what a purchase may cost, and what it would cost
context     what the jobs of one command share
request     what a create asks for
standing    whether a key is good
connection  one service, at one address, with its key
trace       the file of --trace
lifecycle   the state machine of one job (pure)
"""
