package credential

import "testing"

func TestANameTellsWhetherItsValueIsASecret(t *testing.T) {
	for name, want := range map[string]bool{
		"CF_DNS_API_TOKEN": true, "TF_VAR_private_key_password": true, "GCE_SERVICE_ACCOUNT": true, "GITHUB_PAT_SECRET": true,
		"GCE_IMPERSONATE_SERVICE_ACCOUNT": false, "TF_VAR_private_key_path": false, "RFC2136_TSIG_KEY": false,
		"CF_DNS_API_TOKEN_FILE": false, "KEYHELP_BASE_URL": false, "KEYHELP_HTTP_TIMEOUT": false, "HTTPREQ_USERNAME": false, "": false,
	} {
		if Named(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestANameTellsWhetherAFileHoldsASecret(t *testing.T) {
	for name, want := range map[string]bool{
		"CF_DNS_API_TOKEN_FILE": true, "TRANSIP_PRIVATE_KEY_PATH": true, "TF_VAR_private_key_path": true,
		"AZURE_OIDC_TOKEN_FILE_PATH": true, "HYPERONE_PASSPORT_LOCATION": true,
		"CF_DNS_API_TOKEN": false, "HTTPREQ_USERNAME_FILE": false, "EXEC_PATH": false, "SSL_CERT_FILE": false, "PATH": false,
	} {
		if InFile(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
