"""Requests and answers.

fetching    one public document from the web
wire        one service: sends and receives in threads, reports to an inbox
receiving   how one answer is read, however it comes
held        long base64 in an answer, held on disk in place of memory
sessions    which exchange a thread's connections report to, and how a request goes over one
connections connections that tell what leaves them, and read what is not quite HTTP; reads go over used ones
proxied     requests through a proxy of the environment, and what else only requests knows how to send
settings    proxies and CA certificates of the environment
exchange    one request that is under way
faults      what an exception of a transport means
documents   what JSON an answer holds, however it is wrapped (pure)
encodings   a Content-Encoding undone as far as it can be (pure)
answers     what comes of a request, as small classes (pure)
addresses   who may be reached, and who gets the key (pure)
peers       which IP addresses may be reached (pure)
bodies      request bodies that are read from disk while they are sent
sse         Server-Sent Events (pure)
process     runs another program within bounds
"""
