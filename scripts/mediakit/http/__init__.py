"""Requests and answers.

fetching    one public document from the web
transport   sends and receives: sessions, origin rules, redaction
bodies      request bodies that are read from disk while they are sent
sse         Server-Sent Events (pure)
process     runs another program within bounds
"""
