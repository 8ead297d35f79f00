"""PersistentVolumeClaims become folders of this machine.

    matching     pure: which volume suits a claim, and the volume that is made for one
    folders      the folders themselves: made, and removed with care
    controller   the reconciler of claims and volumes
    ephemeral    claims for the volumes that pods bring themselves

Source: pkg/controller/volume/persistentvolume and pvcprotection, v1.33.
"""
