"""``snac-encode`` and ``snac-decode``: audio to codes and back, for files, folders and pipes."""
