"""Media files.

save        from a terminal answer to files on disk
saving      what the flags say about it, and how much a command may fetch
download    from a URL to bytes in a file, bounded
inputs      what --input names: files, addresses, earlier jobs
check       what a file that came is, and what is to be said of it
pictures    pictures as Pillow reads them
containers  whether the structure of a media file is whole (pure)
rasters     the same of pictures (pure)
walking     a file read at one place and another (pure)
formats     which format a file has, and how formats are called (pure)
staging     files on their way to their names in a folder
links       where a result can be fetched, as its service spelled it (pure)
names       the names of files (pure)
"""
