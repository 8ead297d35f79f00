"""Programs that stand for those of images, whole files that run by themselves in pods: nobody imports them.

`programs` copies each under the names of what it stands for. They know the standard library only, of any Python from
3.8 on, since they run with the one that the pod has.
"""
