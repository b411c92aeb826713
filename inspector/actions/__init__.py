"""What can be done to a stack. Each change is an action: it makes a plan, and applies exactly that plan.

    base        what plans, results and actions are; `run`, through which every change goes
    compacting  compact, expire, clean
    adding      update-ref commands as one transaction
    words       plans in words, the same on screen and from the verbs
    shell       the command line that does the same
    trouble     what an error means for the stack, and what to do about it

Nothing here knows a screen. Planning and applying take as long as they take: callers run them in a thread.
"""
