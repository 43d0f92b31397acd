"""The services: data, and how it is read.

actions     what can be done with an account, and the request of it (pure)
listing     the models of the services as lists: for a task, by need, by field
live        what a service itself says it offers
payloads    the fields of a request: put together and checked
conventions the contracts of the services, with their habits
program     a service's own command-line program in place of its HTTP interface
catalogue   the models of the services, and where their contracts are
keys        where a service's key is found
costs       which fields of a request change what it costs (pure)
limits      how much a service bears of one account, by its tier
site        which address each request goes to (pure)
providers   which services there are
provider    one service: its descriptor, and what follows from it
answers     what a service's answers say, by the rules of its descriptor (pure)
descriptor  a descriptor, read into frozen values (pure)
own         the services that this user has added
examine     what is wrong with a descriptor, and what it leaves out
draft       a descriptor drafted from an OpenAPI document
examples    the documented answers in a descriptor (pure)
trust       what of an answer or a descriptor may become an address, a path or a header (pure)
"""
