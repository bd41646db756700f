"""Published S3Ds: MIL-NCE on HowTo100M, and two classifiers of Kinetics."""

from functools import partial

from vtexplore.blocks import s3d_names
from vtexplore.blocks.s3d import HOWTO100M, KINETICS, S3D, TORCHVISION
from vtexplore.published.layout import File, Layout, Published, drive, has

PUBLISHED = Published(
    "s3d",
    "S3D",
    files=(
        File(
            "s3d_howto100m.pth", "MIL-NCE on HowTo100M; embeds videos and texts",
            "github.com/antoine77340/S3D_HowTo100M, README (the address was reported dead in 2024)", "Apache-2.0",
            "MIL-NCE", at="https://www.rocq.inria.fr/cluster-willow/amiech/howto100m/s3d_howto100m.pth", mb=125,
            main=True,
        ),
        File(
            "S3D_kinetics400.pt", "a classifier of Kinetics-400", "github.com/kylemin/S3D, README", "MIT", "Kinetics",
            by_hand=drive("1IysdsJI7UuWazoxFyYvrbO97Lz_EP5H-"), mb=33,
        ),
        File(
            "s3d-d76dad2f.pth", "the same network, trained again", "torchvision, S3D_Weights.KINETICS400_V1", "BSD",
            "Kinetics, torchvision's", by_hand="let torchvision fetch it: torchvision.models.video.s3d(weights="
            "'KINETICS400_V1')", sha256="d76dad2f", mb=33,
        ),
    ),
    layouts=(
        Layout(
            "MIL-NCE", "s3d", s3d_names.MIL_NCE, has("conv1.conv1.weight", "fc.weight"), build=partial(S3D, HOWTO100M)
        ),
        Layout(
            "Kinetics", "s3d_kinetics", s3d_names.KYLEMIN, has("base.0.conv_s.weight"), build=partial(S3D, KINETICS)
        ),
        Layout(
            "Kinetics, torchvision's", "s3d_torchvision", s3d_names.TORCHVISION, has("features.0.0.0.weight"),
            build=partial(S3D, TORCHVISION),
        ),
    ),
)  # fmt: skip
