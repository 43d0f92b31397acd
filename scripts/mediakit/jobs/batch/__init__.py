"""Many jobs: a file of lines, from what it asks for to the results of all.

command     the whole of it, as a table of contents
foreseen    what a batch would come to, with nothing sent
plan        what a batch would buy, and whether it may
scheduler   drives the jobs of all lines in one thread
buying      from lines that may be bought to creates that are sent
asking      requests: counted, in bounded pools, and what their answers tell
reads       when jobs want to be looked at: one by one, or many with one look into a list
purchases   what the ledger knows of the lines, and what is claimed for them
task        one line on its way: its state, its job, its result
part        the console of one line
outcomes    what became of the lines, told as they end and counted
results     results.jsonl, in the order of the input
requests    a line as a request that was checked
pace        how much a service is asked at once, and how often (pure)
source      where the lines come from: files and matrices
chains      lines that need the outputs of others, and shards of all lines (pure)
lines       what a line may say, and the forms that lines come in (pure)
"""
