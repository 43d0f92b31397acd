"""The services: data, and how it is read.

actions     what can be done with an account, and the request of it (pure)
listing     the models of the services as lists: for a task, by need, by field
live        what a service itself says it offers
checking    whether a request could work, before it is paid for
payloads    the fields of a request, put together
file_fields which of them a file goes to
tasks       which task a request is of
model_contract  what is known of a model's contract, and of the fields in it
conventions the contracts of the services, with their habits
program     a service's own command-line program in place of its HTTP interface
catalogue   the models of the services, and where their contracts are
keys        where a service's key is found
costs       which fields of a request change what it costs (pure)
limits      how much a service bears of one account, by its tier
site        which address each request goes to (pure)
providers   which services there are
provider    one service, as everybody shares it: what its descriptor says, and who answers the questions about it
advice      what its users are told to do
bills       what its answers say about money (pure)
job_list    its own list of its jobs, and which of them can be one that was lost sight of (pure)
job_answers what its answers say about jobs (pure)
refusals    whether an answer says no, and why (pure)
paths       where its requests go, below its base URL (pure)
described   what its descriptor says, read once
answers     what answers say by rules, whichever service's they are (pure)
descriptor  the rules of a descriptor, read into frozen values (pure)
forms       other forms in which it may say the same (pure)
own         the services that this user has added
examine     what is wrong with a descriptor, and what it leaves out
draft       a descriptor drafted from an OpenAPI document
examples    the documented answers in a descriptor (pure)
trust       what of an answer or a descriptor may become an address, a path or a header (pure)
"""
