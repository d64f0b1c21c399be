"""What `pulumi up` runs."""

from coiled_pulumi.program import main

main()
