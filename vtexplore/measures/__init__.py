"""What ``evaluate`` measures of a family that has the heads for it, one file a question.

tally.py        items become rates with intervals over clips
questions.py    multiple choice questions, and where the model looks to answer them
retrieval.py    which of many videos does a text mean?
"""
