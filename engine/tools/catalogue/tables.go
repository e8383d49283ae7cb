package main

import (
	"fmt"
	"maps"
	"slices"
)

// alternatives are the providers whose constructor takes one set of variables or
// another, as its source says. None: what it needs cannot be told by names alone.
var alternatives = map[string][]Way{
	"alidns": {{{"ALICLOUD_RAM_ROLE"}}, {{"ALICLOUD_ACCESS_KEY"}, {"ALICLOUD_SECRET_KEY"}}},
	"aliesa": {{{"ALIESA_RAM_ROLE"}}, {{"ALIESA_ACCESS_KEY"}, {"ALIESA_SECRET_KEY"}}},
	"cloudflare": {
		{{"CLOUDFLARE_EMAIL", "CF_API_EMAIL"}, {"CLOUDFLARE_API_KEY", "CF_API_KEY"}},
		{{"CLOUDFLARE_DNS_API_TOKEN", "CF_DNS_API_TOKEN"}}, // stands in for the zone's token, too
	},
	"cloudns":    {{{"CLOUDNS_AUTH_ID", "CLOUDNS_SUB_AUTH_ID"}, {"CLOUDNS_AUTH_PASSWORD"}}},
	"dnsimple":   {{{"DNSIMPLE_OAUTH_TOKEN"}}},
	"dnsupdate":  {{{"DNSUPDATE_NAMESERVER", "RFC2136_NAMESERVER"}}},
	"gandiv5":    {{{"GANDIV5_PERSONAL_ACCESS_TOKEN", "GANDIV5_API_KEY"}}},
	"gigahostno": {{{"GIGAHOSTNO_API_KEY"}}, {{"GIGAHOSTNO_USERNAME"}, {"GIGAHOSTNO_PASSWORD"}}},
	"hetzner":    {{{"HETZNER_API_TOKEN", "HETZNER_API_KEY"}}},
	"joker":      {{{"JOKER_API_KEY"}}, {{"JOKER_USERNAME"}, {"JOKER_PASSWORD"}}},
}

// prefixes begin the variables that a provider's SDK reads, beside lego. Where these
// are few they are named one by one: a setting of lego's that is misspelt would begin
// like them, and not be told.
var prefixes = map[string][]string{
	"alidns":       {"ALIBABA_CLOUD_"},
	"aliesa":       {"ALIBABA_CLOUD_"},
	"azuredns":     {"ARM_", "AZURE_", "IDENTITY_", "IMDS_", "MSI_", "SYSTEM_"},
	"designate":    {"OS_"},
	"dnsupdate":    {"KRB5_"},
	"edgedns":      {"AKAMAI_"},
	"edgeone":      {"TENCENTCLOUD_", "TKE_"},
	"exec":         {""}, // its program may read anything
	"gcloud":       {"CLOUDSDK_", "GCE_", "GCLOUD_", "GOOGLE_", "GRPC_"},
	"huaweicloud":  {"HUAWEICLOUD_SDK_"},
	"ibmcloud":     {"SL_", "SOFTLAYER_"},
	"lightsail":    {"AWS_"},
	"linode":       {"LINODE_API_VERSION", "LINODE_CA", "LINODE_CONFIG", "LINODE_DEBUG", "LINODE_PROFILE", "LINODE_URL"},
	"oraclecloud":  {"OCI_", "TF_VAR_"},
	"route53":      {"AWS_"},
	"sakuracloud":  {"SAKURACLOUD_", "SAKURA_"},
	"scaleway":     {"SCW_API_URL", "SCW_CACHE_DIR", "SCW_CONFIG_PATH", "SCW_DEBUG", "SCW_DEFAULT_", "SCW_INSECURE", "SCW_PROFILE"},
	"selectelv2":   {"OS_"},
	"tencentcloud": {"TENCENTCLOUD_CREDENTIALS_FILE", "TKE_"},
	"vinyldns":     {"VINYLDNS_LOG", "VINYLDNS_USER_AGENT"},
	"vkcloud":      {"OS_"},
	"volcengine":   {"VOLC_"},
}

// renamed are the beginnings of names for which a provider also takes others, in
// code that says it in no constant.
var renamed = map[string][][2]string{
	"dnsupdate": {
		{"DNSUPDATE_TSIG_GSS_", "DNSUPDATE_RFC3645_"},
		{"DNSUPDATE_", "RFC2136_"},
	},
}

// general are variables that a provider's source names though they are not its own.
var general = []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "REQUEST_METHOD"}

// checkTables sees that the tables name providers and variables that exist.
func (c *Catalogue) checkTables() error {
	for code := range alternatives {
		provider := c.find(code)
		if provider == nil {
			return fmt.Errorf("alternatives: lego has no provider %q", code)
		}
		for _, way := range provider.Ways {
			for _, name := range slices.Concat(way...) {
				if !provider.has(name) {
					return fmt.Errorf("alternatives: %s reads no %s", code, name)
				}
			}
		}
	}
	for _, code := range slices.Concat(slices.Collect(maps.Keys(prefixes)), slices.Collect(maps.Keys(renamed))) {
		if c.find(code) == nil {
			return fmt.Errorf("prefixes: lego has no provider %q", code)
		}
	}
	return nil
}

func (c *Catalogue) find(code string) *Provider {
	for _, provider := range c.Providers {
		if provider.Code == code {
			return provider
		}
	}
	return nil
}
