"""Where a result comes from.

gallery     a page to look at results
provenance  told beside a result, and read back
signatures  what lets whoever has a link use it (pure)
metadata    a text inside a media file (pure but for the file)
terminal_picture  a picture inline on a terminal
"""
