"""Requests and answers.

fetching    one public document from the web
wire        one service: sends and receives in threads, reports to an inbox
sessions    connections that tell what leaves them
exchange    one request that is under way
faults      what an exception of a transport means
answers     what comes of a request, as small classes (pure)
addresses   who may be reached, and who gets the key (pure)
bodies      request bodies that are read from disk while they are sent
sse         Server-Sent Events (pure)
process     runs another program within bounds
"""
