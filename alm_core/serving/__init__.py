"""What the browser asks for: layers of a run as map tiles, pictures and files, by URL and never by path."""
