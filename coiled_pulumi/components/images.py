"""Machine images, looked up once and then kept."""

import pulumi
from pulumi_aws import ssm

from coiled_pulumi.components._base import Component
from coiled_pulumi.plan import model


class Images(Component):
    """The image of each architecture in use.

    AWS moves the public parameter whenever it releases an image. The first answer is stashed in the state, so
    that no preview changes by itself; `pulumi up --target-replace` of the stash takes the newest.
    """

    image_ids: dict[str, pulumi.Output[str]]

    def __init__(
        self, name: str, plan: tuple[model.Image, ...], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, opts)
        self.image_ids = {image.key: self._image(image) for image in plan}
        self.register_outputs({"imageIds": self.image_ids})

    def _image(self, plan: model.Image) -> pulumi.Output[str]:
        newest = ssm.get_parameter_output(name=plan.parameter, opts=pulumi.InvokeOptions(parent=self))
        return pulumi.Stash(plan.name, input=newest.insecure_value, opts=self.child()).output
