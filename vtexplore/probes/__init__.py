"""A question each: a model and a clip go in, a frozen result of numbers and Tokens comes out.

    attend       what does each word look at?              rollout      … through all layers at once
    grounding    does it look at the thing it names?       fill_mask    which word belongs here, with and
    match        which sentence goes with the clip?                     without the clip?
    masking      what would a strategy hide?               fill_codes   … and which visual word here?
    answer       which phrase was erased, and what in      retrieve     which of many clips does a text
                 the frames speaks for it?                              mean, and back?
    cloze        which words fill all gaps of a            read_words   a clip as a sentence of visual words
                 sentence: what happens?                   forecast     … which words come next?
                                                           illustrate   … which words show a sentence?
    reorder      does the order of frames matter here,     before_after   which of two events came first?
                 and (compare_orders) over many clips?     recover_order  can it put frames back in order?
    masked_words over many clips: which kinds of words does it see, and which does it guess?
    explain      what of a clip and a text speaks for a    faithfulness which of these maps tell what the
                 number that the model says?                            model uses?
                                                           ablate_heads which heads does it need?

A probe asks a model for what it can do (fields of ``Output``, attention from words to video), never who
it is; what is missing is ``Unsupported``, whose message names the families that have it.
"""
