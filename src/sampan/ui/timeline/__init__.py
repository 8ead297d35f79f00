"""What happened when: rows of bars on an axis of time, one element of our own (`timeline.js`).

    view = TimelineView(label="When the steps ran", on_select=open_step)
    view.show(Timeline(rows, start, end))            # again and again: only changed rows are sent

Bars that have not ended grow in the browser, without a message. Nothing here knows what the rows stand for.
"""
