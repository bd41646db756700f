"""What ``evaluate`` measures of a family that has the heads for it, one file a question.

tally.py        items become rates with intervals over clips
questions.py    multiple choice questions, and where the model looks to answer them
cloze.py        a sentence with gaps: what happens, and to what?
forecasting.py  which visual word comes next in a longer video?
retrieval.py    which of many videos does a text mean?
"""
