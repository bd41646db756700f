"""`python -m vtexplore` is the command `vtexplore`."""

from vtexplore.cli import main

if __name__ == "__main__":
    main()
