// The AWS resource plugin for machines that cannot download Pulumi's own.
//
// It serves the real Terraform AWS provider through Pulumi's own bridge, under the type tokens and the
// version of the published pulumi-aws SDK, for the types in types.go and nothing else.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/terraform-provider-aws/xpprovider"
	pftfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/x/muxer"
	"github.com/pulumi/pulumi-terraform-bridge/v3/unstable/metadata"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
)

// Version is the version of the pulumi-aws SDK that this build stands in for; set by the linker.
var Version = "0.0.0"

func main() {
	ctx := context.Background()
	// The switch makes the schema generator accept a provider of which only a part is mapped.
	if err := os.Setenv("PULUMI_SKIP_MISSING_MAPPING_ERROR", "true"); err != nil {
		log.Fatal(err)
	}
	info, err := providerInfo(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := resolveDispatch(&info); err != nil {
		log.Fatal(err)
	}
	schema, err := packageSchema(info)
	if err != nil {
		log.Fatal(err)
	}
	if len(os.Args) == 2 && os.Args[1] == "-schema" {
		fmt.Println(string(schema))
		return
	}
	pftfbridge.MainWithMuxer(ctx, "aws", info, schema)
}

func providerInfo(ctx context.Context) (tfbridge.ProviderInfo, error) {
	framework, sdk, err := xpprovider.GetProvider(ctx)
	if err != nil {
		return tfbridge.ProviderInfo{}, err
	}
	provider := pftfbridge.MuxShimWithDisjointgPF(ctx, shimv2.NewProvider(sdk), framework)
	tagged := func(name string) bool {
		property, found := provider.ResourcesMap().Get(name).Schema().GetOk("tags_all")
		return found && property.Optional()
	}
	info := tfbridge.ProviderInfo{
		P:            provider,
		Name:         "aws",
		Version:      Version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		Resources:    resources(tagged),
		DataSources:  dataSources(),
		Config: map[string]*tfbridge.SchemaInfo{
			"region": {Default: &tfbridge.DefaultInfo{EnvVars: []string{"AWS_REGION", "AWS_DEFAULT_REGION"}}},
		},
	}
	info.P.ResourcesMap().Range(func(name string, _ shim.Resource) bool {
		if _, mapped := info.Resources[name]; !mapped {
			info.IgnoreMappings = append(info.IgnoreMappings, name)
		}
		return true
	})
	info.P.DataSourcesMap().Range(func(name string, _ shim.Resource) bool {
		if _, mapped := info.DataSources[name]; !mapped {
			info.IgnoreMappings = append(info.IgnoreMappings, name)
		}
		return true
	})
	return info, nil
}

// resolveDispatch writes down which of the provider's two halves serves each type; the serving code reads it.
func resolveDispatch(info *tfbridge.ProviderInfo) error {
	resolver, ok := info.P.(interface {
		ResolveDispatch(info *tfbridge.ProviderInfo) (muxer.DispatchTable, error)
	})
	if !ok {
		return fmt.Errorf("%T cannot resolve which half of the provider serves a type", info.P)
	}
	table, err := resolver.ResolveDispatch(info)
	if err != nil {
		return err
	}
	return metadata.Set(info.GetMetadata(), "mux", table)
}

// packageSchema makes the Pulumi schema in memory: the serving code reads types and secrets from it.
func packageSchema(info tfbridge.ProviderInfo) ([]byte, error) {
	silent := diag.DefaultSink(io.Discard, io.Discard, diag.FormatOptions{Color: colors.Never})
	spec, err := tfgen.GenerateSchema(info, silent)
	if err != nil {
		return nil, err
	}
	return json.Marshal(spec)
}
