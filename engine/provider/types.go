package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// resourceTypes maps each Terraform resource type that we render to the token of the pulumi-aws SDK.
var resourceTypes = map[string]string{
	"aws_autoscaling_group":             "aws:autoscaling/group:Group",
	"aws_autoscaling_group_tag":         "aws:autoscaling/tag:Tag",
	"aws_autoscaling_lifecycle_hook":    "aws:autoscaling/lifecycleHook:LifecycleHook",
	"aws_autoscaling_policy":            "aws:autoscaling/policy:Policy",
	"aws_cloudwatch_log_group":          "aws:cloudwatch/logGroup:LogGroup",
	"aws_cloudwatch_log_stream":         "aws:cloudwatch/logStream:LogStream",
	"aws_default_security_group":        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
	"aws_eip":                           "aws:ec2/eip:Eip",
	"aws_eip_association":               "aws:ec2/eipAssociation:EipAssociation",
	"aws_flow_log":                      "aws:ec2/flowLog:FlowLog",
	"aws_iam_instance_profile":          "aws:iam/instanceProfile:InstanceProfile",
	"aws_iam_policy":                    "aws:iam/policy:Policy",
	"aws_iam_role":                      "aws:iam/role:Role",
	"aws_iam_role_policy":               "aws:iam/rolePolicy:RolePolicy",
	"aws_iam_role_policy_attachment":    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
	"aws_instance":                      "aws:ec2/instance:Instance",
	"aws_internet_gateway":              "aws:ec2/internetGateway:InternetGateway",
	"aws_key_pair":                      "aws:ec2/keyPair:KeyPair",
	"aws_launch_template":               "aws:ec2/launchTemplate:LaunchTemplate",
	"aws_nat_gateway":                   "aws:ec2/natGateway:NatGateway",
	"aws_network_interface":             "aws:ec2/networkInterface:NetworkInterface",
	"aws_placement_group":               "aws:ec2/placementGroup:PlacementGroup",
	"aws_route":                         "aws:ec2/route:Route",
	"aws_route_table":                   "aws:ec2/routeTable:RouteTable",
	"aws_route_table_association":       "aws:ec2/routeTableAssociation:RouteTableAssociation",
	"aws_s3_bucket":                     "aws:s3/bucket:Bucket",
	"aws_s3_bucket_policy":              "aws:s3/bucketPolicy:BucketPolicy",
	"aws_s3_bucket_public_access_block": "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
	"aws_s3_bucket_server_side_encryption_configuration": "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
	"aws_s3_bucket_versioning":                           "aws:s3/bucketVersioning:BucketVersioning",
	"aws_secretsmanager_secret":                          "aws:secretsmanager/secret:Secret",
	"aws_secretsmanager_secret_version":                  "aws:secretsmanager/secretVersion:SecretVersion",
	"aws_security_group":                                 "aws:ec2/securityGroup:SecurityGroup",
	"aws_ssm_parameter":                                  "aws:ssm/parameter:Parameter",
	"aws_subnet":                                         "aws:ec2/subnet:Subnet",
	"aws_vpc":                                            "aws:ec2/vpc:Vpc",
	"aws_vpc_endpoint":                                   "aws:ec2/vpcEndpoint:VpcEndpoint",
	"aws_vpc_endpoint_route_table_association":           "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
	"aws_vpc_security_group_egress_rule":                 "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
	"aws_vpc_security_group_ingress_rule":                "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
}

var dataSourceTypes = map[string]string{
	"aws_ami":                "aws:ec2/getAmi:getAmi",
	"aws_availability_zones": "aws:index/getAvailabilityZones:getAvailabilityZones",
	"aws_caller_identity":    "aws:index/getCallerIdentity:getCallerIdentity",
	"aws_region":             "aws:index/getRegion:getRegion",
	"aws_ssm_parameter":      "aws:ssm/getParameter:getParameter",
	"aws_subnet":             "aws:ec2/getSubnet:getSubnet",
	"aws_vpc":                "aws:ec2/getVpc:getVpc",
}

// autoNamed lists the types whose physical name the published plugin derives from the logical name when none
// is given (logical name, a dash, seven random hex digits), with AWS's limit for that name in characters.
var autoNamed = map[string]int{
	"aws_autoscaling_group":    255,
	"aws_cloudwatch_log_group": 255,
	"aws_iam_instance_profile": 128,
	"aws_iam_policy":           128,
	"aws_iam_role":             64,
	"aws_iam_role_policy":      128,
	"aws_launch_template":      128,
	"aws_placement_group":      255,
	"aws_security_group":       255,
}

// renamed maps a list property to the name that the published plugin gives it; the bridge would make a plural.
var renamed = map[string][]string{
	"aws_default_security_group": {"ingress", "egress"},
	"aws_security_group":         {"ingress", "egress"},
}

// resources describes every resource type to the bridge. `tagged` says which of them have `tags_all` as an
// input; the published plugin has it as an output only.
func resources(tagged func(name string) bool) map[string]*tfbridge.ResourceInfo {
	out := map[string]*tfbridge.ResourceInfo{}
	for name, token := range resourceTypes {
		info := &tfbridge.ResourceInfo{Tok: tokens.Type(token), Fields: map[string]*tfbridge.SchemaInfo{}}
		if tagged(name) {
			info.Fields["tags_all"] = &tfbridge.SchemaInfo{MarkAsComputedOnly: tfbridge.True()}
		}
		for _, property := range renamed[name] {
			info.Fields[property] = &tfbridge.SchemaInfo{Name: property}
		}
		if limit, named := autoNamed[name]; named {
			info.Fields["name"] = tfbridge.AutoName("name", limit, "-")
		}
		out[name] = info
	}
	return out
}

func dataSources() map[string]*tfbridge.DataSourceInfo {
	out := map[string]*tfbridge.DataSourceInfo{}
	for name, token := range dataSourceTypes {
		out[name] = &tfbridge.DataSourceInfo{Tok: tokens.ModuleMember(token)}
	}
	return out
}
