"""What the site shows beyond the files of docs/: made from conf/, the classes and the records when it is built."""
