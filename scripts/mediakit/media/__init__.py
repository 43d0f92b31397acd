"""Media files.

save        from a terminal answer to files on disk
download    from a URL to bytes in a file, bounded
inputs      what --input names: files, addresses, earlier jobs
containers  what a media file is, and whether it is whole (pure)
names       the names of files (pure)
"""
