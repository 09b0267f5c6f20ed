"""Files that come by folder or SFTP: `watch` says which one is next and where it ends up, `messages` and `rosters` take what is in it.

A file is taken in four steps, and the process may die between any two: claim it by a rename, take its content, lay the results beside
where it will lie, move it there. A step done again changes nothing: a message is known by its bytes (ACK-7), a roster by the id of its
upload and by its bytes, and the last step is the only one after which the file is not looked at again. Two processes that work on one
file, which a lock prevents as long as the database is there, therefore do no harm either.
"""
