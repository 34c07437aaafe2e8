"""poolab: which pooling should this CNN use, and how sure are we?

The importable library is `poolab.pooling` (torch and nothing else); the command line is `poolab --help`.
"""

__version__ = "0.1.0"
