"""What the operating system ties the processes of one tree together with."""
