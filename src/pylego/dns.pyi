"""Each of lego's DNS providers as a function; written by `make catalogue`."""

from collections.abc import Sequence

from pylego._challenges import DNS01

def abion(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ABION_API_KEY: str = ...,
    ABION_HTTP_TIMEOUT: str = ...,
    ABION_POLLING_INTERVAL: str = ...,
    ABION_PROPAGATION_TIMEOUT: str = ...,
    ABION_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Abion.

    https://abion.com

    Needs ABION_API_KEY.

    Args:
        ABION_API_KEY: API key
        ABION_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        ABION_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ABION_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ABION_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def acmedns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ACME_DNS_API_BASE: str = ...,
    ACME_DNS_STORAGE_BASE_URL: str = ...,
    ACME_DNS_STORAGE_PATH: str = ...,
    ACME_DNS_ALLOWLIST: str = ...,
    **variables: str,
) -> DNS01:
    r"""Joohoi's ACME-DNS.

    https://github.com/joohoi/acme-dns

    Needs ACME_DNS_API_BASE.

    Args:
        ACME_DNS_API_BASE: The ACME-DNS API address
        ACME_DNS_STORAGE_BASE_URL: The ACME-DNS JSON account data server.
        ACME_DNS_STORAGE_PATH: The ACME-DNS JSON account data file. A per-domain account will be registered/persisted to this file and used for TXT updates.
        ACME_DNS_ALLOWLIST: Source networks using CIDR notation (multiple values should be separated with a comma).
    """

acme_dns = acmedns

def active24(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ACTIVE24_API_KEY: str = ...,
    ACTIVE24_SECRET: str = ...,
    ACTIVE24_HTTP_TIMEOUT: str = ...,
    ACTIVE24_POLLING_INTERVAL: str = ...,
    ACTIVE24_PROPAGATION_TIMEOUT: str = ...,
    ACTIVE24_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Active24.

    https://www.active24.cz

    Needs ACTIVE24_API_KEY and ACTIVE24_SECRET.

    Args:
        ACTIVE24_API_KEY: API key
        ACTIVE24_SECRET: Secret
        ACTIVE24_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ACTIVE24_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ACTIVE24_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ACTIVE24_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def alidns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ALICLOUD_ACCESS_KEY: str = ...,
    ALICLOUD_RAM_ROLE: str = ...,
    ALICLOUD_SECRET_KEY: str = ...,
    ALICLOUD_SECURITY_TOKEN: str = ...,
    ALICLOUD_HTTP_TIMEOUT: str = ...,
    ALICLOUD_LINE: str = ...,
    ALICLOUD_POLLING_INTERVAL: str = ...,
    ALICLOUD_PROPAGATION_TIMEOUT: str = ...,
    ALICLOUD_REGION_ID: str = ...,
    ALICLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Alibaba Cloud DNS.

    https://www.alibabacloud.com/product/dns

    Needs ALICLOUD_RAM_ROLE, or ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY.

    Args:
        ALICLOUD_ACCESS_KEY: Access key ID
        ALICLOUD_RAM_ROLE: Your instance RAM role (https://www.alibabacloud.com/help/en/ecs/user-guide/attach-an-instance-ram-role-to-an-ecs-instance)
        ALICLOUD_SECRET_KEY: Access Key secret
        ALICLOUD_SECURITY_TOKEN: STS Security Token (optional)
        ALICLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        ALICLOUD_LINE: Line (default: default)
        ALICLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ALICLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ALICLOUD_REGION_ID: Region ID (default: cn-hangzhou)
        ALICLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def aliesa(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ALIESA_ACCESS_KEY: str = ...,
    ALIESA_RAM_ROLE: str = ...,
    ALIESA_SECRET_KEY: str = ...,
    ALIESA_SECURITY_TOKEN: str = ...,
    ALIESA_HTTP_TIMEOUT: str = ...,
    ALIESA_POLLING_INTERVAL: str = ...,
    ALIESA_PROPAGATION_TIMEOUT: str = ...,
    ALIESA_TTL: str = ...,
    ALIESA_REGION_ID: str = ...,
    **variables: str,
) -> DNS01:
    r"""AlibabaCloud ESA.

    https://www.alibabacloud.com/en/product/esa

    Needs ALIESA_RAM_ROLE, or ALIESA_ACCESS_KEY and ALIESA_SECRET_KEY.

    Args:
        ALIESA_ACCESS_KEY: Access key ID
        ALIESA_RAM_ROLE: Your instance RAM role (https://www.alibabacloud.com/help/en/ecs/user-guide/attach-an-instance-ram-role-to-an-ecs-instance)
        ALIESA_SECRET_KEY: Access Key secret
        ALIESA_SECURITY_TOKEN: STS Security Token (optional)
        ALIESA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ALIESA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ALIESA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ALIESA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        ALIESA_REGION_ID: 
    """

def allinkl(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ALL_INKL_LOGIN: str = ...,
    ALL_INKL_PASSWORD: str = ...,
    ALL_INKL_HTTP_TIMEOUT: str = ...,
    ALL_INKL_POLLING_INTERVAL: str = ...,
    ALL_INKL_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""all-inkl.

    https://all-inkl.com

    Needs ALL_INKL_LOGIN and ALL_INKL_PASSWORD.

    Args:
        ALL_INKL_LOGIN: KAS login
        ALL_INKL_PASSWORD: KAS password
        ALL_INKL_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ALL_INKL_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ALL_INKL_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
    """

def alwaysdata(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ALWAYSDATA_API_KEY: str = ...,
    ALWAYSDATA_ACCOUNT: str = ...,
    ALWAYSDATA_HTTP_TIMEOUT: str = ...,
    ALWAYSDATA_POLLING_INTERVAL: str = ...,
    ALWAYSDATA_PROPAGATION_TIMEOUT: str = ...,
    ALWAYSDATA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Alwaysdata.

    https://alwaysdata.com/

    Needs ALWAYSDATA_API_KEY.

    Args:
        ALWAYSDATA_API_KEY: API Key
        ALWAYSDATA_ACCOUNT: Account name
        ALWAYSDATA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ALWAYSDATA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ALWAYSDATA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ALWAYSDATA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def anexia(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ANEXIA_TOKEN: str = ...,
    ANEXIA_API_URL: str = ...,
    ANEXIA_HTTP_TIMEOUT: str = ...,
    ANEXIA_POLLING_INTERVAL: str = ...,
    ANEXIA_PROPAGATION_TIMEOUT: str = ...,
    ANEXIA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Anexia CloudDNS.

    https://www.anexia-it.com/

    Needs ANEXIA_TOKEN.

    Args:
        ANEXIA_TOKEN: API token for Anexia Engine
        ANEXIA_API_URL: API endpoint URL (default: https://engine.anexia-it.com)
        ANEXIA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ANEXIA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ANEXIA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        ANEXIA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def artfiles(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ARTFILES_PASSWORD: str = ...,
    ARTFILES_USERNAME: str = ...,
    ARTFILES_HTTP_TIMEOUT: str = ...,
    ARTFILES_POLLING_INTERVAL: str = ...,
    ARTFILES_PROPAGATION_TIMEOUT: str = ...,
    ARTFILES_SERVER_NAME: str = ...,
    **variables: str,
) -> DNS01:
    r"""ArtFiles.

    https://www.artfiles.de/extras/domains/

    Needs ARTFILES_USERNAME and ARTFILES_PASSWORD.

    Args:
        ARTFILES_PASSWORD: API password
        ARTFILES_USERNAME: API username
        ARTFILES_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ARTFILES_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ARTFILES_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 360)
        ARTFILES_SERVER_NAME: Your server name (default: dcp)
    """

def arvancloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ARVANCLOUD_API_KEY: str = ...,
    ARVANCLOUD_HTTP_TIMEOUT: str = ...,
    ARVANCLOUD_POLLING_INTERVAL: str = ...,
    ARVANCLOUD_PROPAGATION_TIMEOUT: str = ...,
    ARVANCLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ArvanCloud.

    https://arvancloud.ir

    Needs ARVANCLOUD_API_KEY.

    Args:
        ARVANCLOUD_API_KEY: API key
        ARVANCLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ARVANCLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ARVANCLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        ARVANCLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def auroradns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    AURORA_API_KEY: str = ...,
    AURORA_SECRET: str = ...,
    AURORA_ENDPOINT: str = ...,
    AURORA_POLLING_INTERVAL: str = ...,
    AURORA_PROPAGATION_TIMEOUT: str = ...,
    AURORA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Aurora DNS.

    https://www.pcextreme.com/dns-health-checks

    Needs AURORA_API_KEY and AURORA_SECRET.

    Args:
        AURORA_API_KEY: API key or username to used
        AURORA_SECRET: Secret password to be used
        AURORA_ENDPOINT: API endpoint URL
        AURORA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        AURORA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        AURORA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def autodns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    AUTODNS_API_PASSWORD: str = ...,
    AUTODNS_API_USER: str = ...,
    AUTODNS_CONTEXT: str = ...,
    AUTODNS_ENDPOINT: str = ...,
    AUTODNS_HTTP_TIMEOUT: str = ...,
    AUTODNS_POLLING_INTERVAL: str = ...,
    AUTODNS_PROPAGATION_TIMEOUT: str = ...,
    AUTODNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Autodns.

    https://www.internetx.com/domains/autodns/

    Needs AUTODNS_API_USER and AUTODNS_API_PASSWORD.

    Args:
        AUTODNS_API_PASSWORD: User Password
        AUTODNS_API_USER: Username
        AUTODNS_CONTEXT: API context (4 for production, 1 for testing. Defaults to 4)
        AUTODNS_ENDPOINT: API endpoint URL, defaults to https://api.autodns.com/v1/
        AUTODNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        AUTODNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        AUTODNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        AUTODNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def axelname(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    AXELNAME_NICKNAME: str = ...,
    AXELNAME_TOKEN: str = ...,
    AXELNAME_HTTP_TIMEOUT: str = ...,
    AXELNAME_POLLING_INTERVAL: str = ...,
    AXELNAME_PROPAGATION_TIMEOUT: str = ...,
    AXELNAME_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Axelname.

    https://axelname.ru

    Needs AXELNAME_NICKNAME and AXELNAME_TOKEN.

    Args:
        AXELNAME_NICKNAME: Account nickname
        AXELNAME_TOKEN: API token
        AXELNAME_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        AXELNAME_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        AXELNAME_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        AXELNAME_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def azion(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    AZION_PERSONAL_TOKEN: str = ...,
    AZION_HTTP_TIMEOUT: str = ...,
    AZION_PAGE_SIZE: str = ...,
    AZION_POLLING_INTERVAL: str = ...,
    AZION_PROPAGATION_TIMEOUT: str = ...,
    AZION_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Azion.

    https://www.azion.com/en/products/edge-dns/

    Needs AZION_PERSONAL_TOKEN.

    Args:
        AZION_PERSONAL_TOKEN: Your Azion personal token.
        AZION_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        AZION_PAGE_SIZE: The page size for the API request (default: 50)
        AZION_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        AZION_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        AZION_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def azuredns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    AZURE_CLIENT_CERTIFICATE_PATH: str = ...,
    AZURE_CLIENT_ID: str = ...,
    AZURE_CLIENT_SECRET: str = ...,
    AZURE_TENANT_ID: str = ...,
    AZURE_AUTH_METHOD: str = ...,
    AZURE_AUTH_MSI_TIMEOUT: str = ...,
    AZURE_ENVIRONMENT: str = ...,
    AZURE_POLLING_INTERVAL: str = ...,
    AZURE_PRIVATE_ZONE: str = ...,
    AZURE_PROPAGATION_TIMEOUT: str = ...,
    AZURE_RESOURCE_GROUP: str = ...,
    AZURE_SERVICEDISCOVERY_FILTER: str = ...,
    AZURE_SUBSCRIPTION_ID: str = ...,
    AZURE_TTL: str = ...,
    AZURE_ZONE_NAME: str = ...,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: str = ...,
    ACTIONS_ID_TOKEN_REQUEST_URL: str = ...,
    ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID: str = ...,
    ARM_OIDC_AZURE_SERVICE_CONNECTION_ID: str = ...,
    ARM_OIDC_REQUEST_TOKEN: str = ...,
    ARM_OIDC_REQUEST_URL: str = ...,
    AZURE_OIDC_REQUEST_TOKEN: str = ...,
    AZURE_OIDC_REQUEST_URL: str = ...,
    AZURE_OIDC_TOKEN: str = ...,
    AZURE_OIDC_TOKEN_FILE_PATH: str = ...,
    AZURE_SERVICE_CONNECTION_ID: str = ...,
    AZURE_SYSTEM_ACCESS_TOKEN: str = ...,
    SERVICE_CONNECTION_ID: str = ...,
    SYSTEM_ACCESSTOKEN: str = ...,
    **variables: str,
) -> DNS01:
    r"""Azure DNS.

    https://azure.microsoft.com/services/dns/

    Args:
        AZURE_CLIENT_CERTIFICATE_PATH: Client certificate path
        AZURE_CLIENT_ID: Client ID
        AZURE_CLIENT_SECRET: Client secret
        AZURE_TENANT_ID: Tenant ID
        AZURE_AUTH_METHOD: Specify which authentication method to use
        AZURE_AUTH_MSI_TIMEOUT: Managed Identity timeout duration
        AZURE_ENVIRONMENT: Azure environment, one of: public, usgovernment, and china
        AZURE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        AZURE_PRIVATE_ZONE: Set to true to use Azure Private DNS Zones and not public
        AZURE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        AZURE_RESOURCE_GROUP: DNS zone resource group
        AZURE_SERVICEDISCOVERY_FILTER: Advanced ServiceDiscovery filter using Kusto query condition
        AZURE_SUBSCRIPTION_ID: DNS zone subscription ID
        AZURE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
        AZURE_ZONE_NAME: Zone name to use inside Azure DNS service to add the TXT record in
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 
        ACTIONS_ID_TOKEN_REQUEST_URL: 
        ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID: Alias to AZURE_SERVICE_CONNECTION_ID
        ARM_OIDC_AZURE_SERVICE_CONNECTION_ID: Alias to AZURE_SERVICE_CONNECTION_ID
        ARM_OIDC_REQUEST_TOKEN: Alias to AZURE_OIDC_REQUEST_TOKEN
        ARM_OIDC_REQUEST_URL: Alias to AZURE_OIDC_REQUEST_URL
        AZURE_OIDC_REQUEST_TOKEN: 
        AZURE_OIDC_REQUEST_URL: 
        AZURE_OIDC_TOKEN: 
        AZURE_OIDC_TOKEN_FILE_PATH: 
        AZURE_SERVICE_CONNECTION_ID: 
        AZURE_SYSTEM_ACCESS_TOKEN: 
        SERVICE_CONNECTION_ID: Alias to AZURE_SERVICE_CONNECTION_ID
        SYSTEM_ACCESSTOKEN: Alias to AZURE_SYSTEM_ACCESS_TOKEN
    """

def baiducloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    BAIDUCLOUD_ACCESS_KEY_ID: str = ...,
    BAIDUCLOUD_SECRET_ACCESS_KEY: str = ...,
    BAIDUCLOUD_POLLING_INTERVAL: str = ...,
    BAIDUCLOUD_PROPAGATION_TIMEOUT: str = ...,
    BAIDUCLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Baidu Cloud.

    https://cloud.baidu.com

    Needs BAIDUCLOUD_ACCESS_KEY_ID and BAIDUCLOUD_SECRET_ACCESS_KEY.

    Args:
        BAIDUCLOUD_ACCESS_KEY_ID: Access key
        BAIDUCLOUD_SECRET_ACCESS_KEY: Secret access key
        BAIDUCLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        BAIDUCLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        BAIDUCLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def beget(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    BEGET_PASSWORD: str = ...,
    BEGET_USERNAME: str = ...,
    BEGET_HTTP_TIMEOUT: str = ...,
    BEGET_POLLING_INTERVAL: str = ...,
    BEGET_PROPAGATION_TIMEOUT: str = ...,
    BEGET_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Beget.com.

    https://beget.com/

    Needs BEGET_USERNAME and BEGET_PASSWORD.

    Args:
        BEGET_PASSWORD: API password
        BEGET_USERNAME: API username
        BEGET_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        BEGET_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 30)
        BEGET_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        BEGET_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def binarylane(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    BINARYLANE_API_TOKEN: str = ...,
    BINARYLANE_HTTP_TIMEOUT: str = ...,
    BINARYLANE_POLLING_INTERVAL: str = ...,
    BINARYLANE_PROPAGATION_TIMEOUT: str = ...,
    BINARYLANE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Binary Lane.

    https://www.binarylane.com.au/

    Needs BINARYLANE_API_TOKEN.

    Args:
        BINARYLANE_API_TOKEN: API token
        BINARYLANE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        BINARYLANE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        BINARYLANE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        BINARYLANE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def bindman(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    BINDMAN_MANAGER_ADDRESS: str = ...,
    BINDMAN_HTTP_TIMEOUT: str = ...,
    BINDMAN_POLLING_INTERVAL: str = ...,
    BINDMAN_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""Bindman.

    https://github.com/labbsr0x/bindman-dns-webhook

    Needs BINDMAN_MANAGER_ADDRESS.

    Args:
        BINDMAN_MANAGER_ADDRESS: The server URL, should have scheme, hostname, and port (if required) of the Bindman-DNS Manager server
        BINDMAN_HTTP_TIMEOUT: API request timeout in seconds (default: 60)
        BINDMAN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        BINDMAN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
    """

def bluecat(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    BLUECAT_CONFIG_NAME: str = ...,
    BLUECAT_DNS_VIEW: str = ...,
    BLUECAT_PASSWORD: str = ...,
    BLUECAT_SERVER_URL: str = ...,
    BLUECAT_USER_NAME: str = ...,
    BLUECAT_HTTP_TIMEOUT: str = ...,
    BLUECAT_POLLING_INTERVAL: str = ...,
    BLUECAT_PROPAGATION_TIMEOUT: str = ...,
    BLUECAT_SKIP_DEPLOY: str = ...,
    BLUECAT_TTL: str = ...,
    BLUECAT_DEBUG: str = ...,
    **variables: str,
) -> DNS01:
    r"""Bluecat.

    https://www.bluecatnetworks.com

    Needs BLUECAT_SERVER_URL and BLUECAT_USER_NAME and BLUECAT_PASSWORD and BLUECAT_CONFIG_NAME and BLUECAT_DNS_VIEW.

    Args:
        BLUECAT_CONFIG_NAME: Configuration name
        BLUECAT_DNS_VIEW: External DNS View Name
        BLUECAT_PASSWORD: API password
        BLUECAT_SERVER_URL: The server URL, should have scheme, hostname, and port (if required) of the authoritative Bluecat BAM serve
        BLUECAT_USER_NAME: API username
        BLUECAT_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        BLUECAT_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        BLUECAT_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        BLUECAT_SKIP_DEPLOY: Skip deployments
        BLUECAT_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        BLUECAT_DEBUG: 
    """

def bluecatv2(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    BLUECATV2_CONFIG_NAME: str = ...,
    BLUECATV2_PASSWORD: str = ...,
    BLUECATV2_SERVER_URL: str = ...,
    BLUECATV2_USERNAME: str = ...,
    BLUECATV2_VIEW_NAME: str = ...,
    BLUECATV2_HTTP_TIMEOUT: str = ...,
    BLUECATV2_POLLING_INTERVAL: str = ...,
    BLUECATV2_PROPAGATION_TIMEOUT: str = ...,
    BLUECATV2_SKIP_DEPLOY: str = ...,
    BLUECATV2_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Bluecat v2.

    https://www.bluecatnetworks.com

    Needs BLUECATV2_SERVER_URL and BLUECATV2_USERNAME and BLUECATV2_PASSWORD and BLUECATV2_CONFIG_NAME and BLUECATV2_VIEW_NAME.

    Args:
        BLUECATV2_CONFIG_NAME: Configuration name
        BLUECATV2_PASSWORD: API password
        BLUECATV2_SERVER_URL: The server URL: it should have a scheme, hostname, and port (if required) of the authoritative Bluecat BAM serve
        BLUECATV2_USERNAME: API username
        BLUECATV2_VIEW_NAME: DNS View Name
        BLUECATV2_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        BLUECATV2_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        BLUECATV2_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        BLUECATV2_SKIP_DEPLOY: Skip quick deployments
        BLUECATV2_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def bookmyname(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    BOOKMYNAME_PASSWORD: str = ...,
    BOOKMYNAME_USERNAME: str = ...,
    BOOKMYNAME_HTTP_TIMEOUT: str = ...,
    BOOKMYNAME_POLLING_INTERVAL: str = ...,
    BOOKMYNAME_PROPAGATION_TIMEOUT: str = ...,
    BOOKMYNAME_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""BookMyName.

    https://www.bookmyname.com/

    Needs BOOKMYNAME_USERNAME and BOOKMYNAME_PASSWORD.

    Args:
        BOOKMYNAME_PASSWORD: Password
        BOOKMYNAME_USERNAME: Username
        BOOKMYNAME_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        BOOKMYNAME_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        BOOKMYNAME_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        BOOKMYNAME_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def bunny(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    BUNNY_API_KEY: str = ...,
    BUNNY_HTTP_TIMEOUT: str = ...,
    BUNNY_POLLING_INTERVAL: str = ...,
    BUNNY_PROPAGATION_TIMEOUT: str = ...,
    BUNNY_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Bunny.

    https://bunny.net

    Needs BUNNY_API_KEY.

    Args:
        BUNNY_API_KEY: API key
        BUNNY_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        BUNNY_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        BUNNY_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        BUNNY_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def checkdomain(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CHECKDOMAIN_TOKEN: str = ...,
    CHECKDOMAIN_ENDPOINT: str = ...,
    CHECKDOMAIN_HTTP_TIMEOUT: str = ...,
    CHECKDOMAIN_POLLING_INTERVAL: str = ...,
    CHECKDOMAIN_PROPAGATION_TIMEOUT: str = ...,
    CHECKDOMAIN_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Checkdomain.

    https://checkdomain.de/

    Needs CHECKDOMAIN_TOKEN.

    Args:
        CHECKDOMAIN_TOKEN: API token
        CHECKDOMAIN_ENDPOINT: API endpoint URL, defaults to https://api.checkdomain.de
        CHECKDOMAIN_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CHECKDOMAIN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 300)
        CHECKDOMAIN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 7)
        CHECKDOMAIN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def civo(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CIVO_TOKEN: str = ...,
    CIVO_HTTP_TIMEOUT: str = ...,
    CIVO_POLLING_INTERVAL: str = ...,
    CIVO_PROPAGATION_TIMEOUT: str = ...,
    CIVO_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Civo.

    https://civo.com

    Needs CIVO_TOKEN.

    Args:
        CIVO_TOKEN: Authentication token
        CIVO_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CIVO_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 30)
        CIVO_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        CIVO_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def clouddns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CLOUDDNS_CLIENT_ID: str = ...,
    CLOUDDNS_EMAIL: str = ...,
    CLOUDDNS_PASSWORD: str = ...,
    CLOUDDNS_HTTP_TIMEOUT: str = ...,
    CLOUDDNS_POLLING_INTERVAL: str = ...,
    CLOUDDNS_PROPAGATION_TIMEOUT: str = ...,
    CLOUDDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""CloudDNS.

    https://vshosting.eu/

    Needs CLOUDDNS_CLIENT_ID and CLOUDDNS_EMAIL and CLOUDDNS_PASSWORD.

    Args:
        CLOUDDNS_CLIENT_ID: Client ID
        CLOUDDNS_EMAIL: Account email
        CLOUDDNS_PASSWORD: Account password
        CLOUDDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CLOUDDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        CLOUDDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        CLOUDDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def cloudflare(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CF_API_EMAIL: str = ...,
    CF_API_KEY: str = ...,
    CF_DNS_API_TOKEN: str = ...,
    CF_ZONE_API_TOKEN: str = ...,
    CLOUDFLARE_API_KEY: str = ...,
    CLOUDFLARE_DNS_API_TOKEN: str = ...,
    CLOUDFLARE_EMAIL: str = ...,
    CLOUDFLARE_ZONE_API_TOKEN: str = ...,
    CLOUDFLARE_BASE_URL: str = ...,
    CLOUDFLARE_HTTP_TIMEOUT: str = ...,
    CLOUDFLARE_POLLING_INTERVAL: str = ...,
    CLOUDFLARE_PROPAGATION_TIMEOUT: str = ...,
    CLOUDFLARE_TTL: str = ...,
    CF_HTTP_TIMEOUT: str = ...,
    CF_POLLING_INTERVAL: str = ...,
    CF_PROPAGATION_TIMEOUT: str = ...,
    CF_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Cloudflare.

    https://www.cloudflare.com/dns/

    Needs CLOUDFLARE_EMAIL (or CF_API_EMAIL) and CLOUDFLARE_API_KEY (or CF_API_KEY), or CLOUDFLARE_DNS_API_TOKEN (or CF_DNS_API_TOKEN).

    Args:
        CF_API_EMAIL: Account email
        CF_API_KEY: API key
        CF_DNS_API_TOKEN: API token with DNS:Edit permission (since v3.1.0)
        CF_ZONE_API_TOKEN: API token with Zone:Read permission (since v3.1.0)
        CLOUDFLARE_API_KEY: Alias to CF_API_KEY
        CLOUDFLARE_DNS_API_TOKEN: Alias to CF_DNS_API_TOKEN
        CLOUDFLARE_EMAIL: Alias to CF_API_EMAIL
        CLOUDFLARE_ZONE_API_TOKEN: Alias to CF_ZONE_API_TOKEN
        CLOUDFLARE_BASE_URL: API base URL (default: https://api.cloudflare.com/client/v4)
        CLOUDFLARE_HTTP_TIMEOUT: API request timeout in seconds
        CLOUDFLARE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        CLOUDFLARE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        CLOUDFLARE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        CF_HTTP_TIMEOUT: Alias to CLOUDFLARE_HTTP_TIMEOUT
        CF_POLLING_INTERVAL: Alias to CLOUDFLARE_POLLING_INTERVAL
        CF_PROPAGATION_TIMEOUT: Alias to CLOUDFLARE_PROPAGATION_TIMEOUT
        CF_TTL: Alias to CLOUDFLARE_TTL
    """

def cloudns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CLOUDNS_AUTH_ID: str = ...,
    CLOUDNS_AUTH_PASSWORD: str = ...,
    CLOUDNS_HTTP_TIMEOUT: str = ...,
    CLOUDNS_POLLING_INTERVAL: str = ...,
    CLOUDNS_PROPAGATION_TIMEOUT: str = ...,
    CLOUDNS_SUB_AUTH_ID: str = ...,
    CLOUDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ClouDNS.

    https://www.cloudns.net

    Needs CLOUDNS_AUTH_ID (or CLOUDNS_SUB_AUTH_ID) and CLOUDNS_AUTH_PASSWORD.

    Args:
        CLOUDNS_AUTH_ID: The API user ID
        CLOUDNS_AUTH_PASSWORD: The password for API user ID
        CLOUDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CLOUDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        CLOUDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 180)
        CLOUDNS_SUB_AUTH_ID: The API sub user ID
        CLOUDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def cloudru(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CLOUDRU_KEY_ID: str = ...,
    CLOUDRU_SECRET: str = ...,
    CLOUDRU_SERVICE_INSTANCE_ID: str = ...,
    CLOUDRU_HTTP_TIMEOUT: str = ...,
    CLOUDRU_POLLING_INTERVAL: str = ...,
    CLOUDRU_PROPAGATION_TIMEOUT: str = ...,
    CLOUDRU_SEQUENCE_INTERVAL: str = ...,
    CLOUDRU_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Cloud.ru.

    https://cloud.ru

    Needs CLOUDRU_SERVICE_INSTANCE_ID and CLOUDRU_KEY_ID and CLOUDRU_SECRET.

    Args:
        CLOUDRU_KEY_ID: Key ID (login)
        CLOUDRU_SECRET: Key Secret
        CLOUDRU_SERVICE_INSTANCE_ID: Service Instance ID (parentId)
        CLOUDRU_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CLOUDRU_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        CLOUDRU_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        CLOUDRU_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 120)
        CLOUDRU_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def com35(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    COM35_PASSWORD: str = ...,
    COM35_USERNAME: str = ...,
    COM35_HTTP_TIMEOUT: str = ...,
    COM35_POLLING_INTERVAL: str = ...,
    COM35_PROPAGATION_TIMEOUT: str = ...,
    COM35_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""35.com/三五互联.

    https://www.35.cn/

    Needs COM35_USERNAME and COM35_PASSWORD.

    Args:
        COM35_PASSWORD: API password
        COM35_USERNAME: Username
        COM35_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        COM35_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        COM35_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        COM35_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def connbyte(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CONNBYTE_TOKEN: str = ...,
    CONNBYTE_HTTP_TIMEOUT: str = ...,
    CONNBYTE_POLLING_INTERVAL: str = ...,
    CONNBYTE_PROPAGATION_TIMEOUT: str = ...,
    CONNBYTE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Connbyte.

    https://connbyte.com/

    Needs CONNBYTE_TOKEN.

    Args:
        CONNBYTE_TOKEN: Token
        CONNBYTE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CONNBYTE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        CONNBYTE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        CONNBYTE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def conoha(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CONOHA_API_PASSWORD: str = ...,
    CONOHA_API_USERNAME: str = ...,
    CONOHA_TENANT_ID: str = ...,
    CONOHA_HTTP_TIMEOUT: str = ...,
    CONOHA_POLLING_INTERVAL: str = ...,
    CONOHA_PROPAGATION_TIMEOUT: str = ...,
    CONOHA_REGION: str = ...,
    CONOHA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ConoHa v2.

    https://www.conoha.jp/

    Needs CONOHA_TENANT_ID and CONOHA_API_USERNAME and CONOHA_API_PASSWORD.

    Args:
        CONOHA_API_PASSWORD: The API password
        CONOHA_API_USERNAME: The API username
        CONOHA_TENANT_ID: Tenant ID
        CONOHA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CONOHA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        CONOHA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        CONOHA_REGION: The region (default: tyo1)
        CONOHA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def conohav3(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CONOHAV3_API_PASSWORD: str = ...,
    CONOHAV3_API_USER_ID: str = ...,
    CONOHAV3_TENANT_ID: str = ...,
    CONOHAV3_HTTP_TIMEOUT: str = ...,
    CONOHAV3_POLLING_INTERVAL: str = ...,
    CONOHAV3_PROPAGATION_TIMEOUT: str = ...,
    CONOHAV3_REGION: str = ...,
    CONOHAV3_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ConoHa v3.

    https://www.conoha.jp/

    Needs CONOHAV3_TENANT_ID and CONOHAV3_API_USER_ID and CONOHAV3_API_PASSWORD.

    Args:
        CONOHAV3_API_PASSWORD: The API password
        CONOHAV3_API_USER_ID: The API user ID
        CONOHAV3_TENANT_ID: Tenant ID
        CONOHAV3_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CONOHAV3_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        CONOHAV3_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        CONOHAV3_REGION: The region (default: c3j1)
        CONOHAV3_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def constellix(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CONSTELLIX_API_KEY: str = ...,
    CONSTELLIX_SECRET_KEY: str = ...,
    CONSTELLIX_HTTP_TIMEOUT: str = ...,
    CONSTELLIX_POLLING_INTERVAL: str = ...,
    CONSTELLIX_PROPAGATION_TIMEOUT: str = ...,
    CONSTELLIX_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Constellix.

    https://constellix.com

    Needs CONSTELLIX_API_KEY and CONSTELLIX_SECRET_KEY.

    Args:
        CONSTELLIX_API_KEY: User API key
        CONSTELLIX_SECRET_KEY: User secret key
        CONSTELLIX_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CONSTELLIX_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        CONSTELLIX_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        CONSTELLIX_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def corenetworks(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CORENETWORKS_LOGIN: str = ...,
    CORENETWORKS_PASSWORD: str = ...,
    CORENETWORKS_HTTP_TIMEOUT: str = ...,
    CORENETWORKS_POLLING_INTERVAL: str = ...,
    CORENETWORKS_PROPAGATION_TIMEOUT: str = ...,
    CORENETWORKS_SEQUENCE_INTERVAL: str = ...,
    CORENETWORKS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Core-Networks.

    https://www.core-networks.de/

    Needs CORENETWORKS_LOGIN and CORENETWORKS_PASSWORD.

    Args:
        CORENETWORKS_LOGIN: The username of the API account
        CORENETWORKS_PASSWORD: The password
        CORENETWORKS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CORENETWORKS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        CORENETWORKS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        CORENETWORKS_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        CORENETWORKS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def cpanel(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CPANEL_BASE_URL: str = ...,
    CPANEL_TOKEN: str = ...,
    CPANEL_USERNAME: str = ...,
    CPANEL_HTTP_TIMEOUT: str = ...,
    CPANEL_MODE: str = ...,
    CPANEL_POLLING_INTERVAL: str = ...,
    CPANEL_PROPAGATION_TIMEOUT: str = ...,
    CPANEL_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""CPanel/WHM.

    https://cpanel.net/

    Needs CPANEL_USERNAME and CPANEL_TOKEN and CPANEL_BASE_URL.

    Args:
        CPANEL_BASE_URL: API server URL
        CPANEL_TOKEN: API token
        CPANEL_USERNAME: username
        CPANEL_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CPANEL_MODE: use cpanel API or WHM API (default: cpanel)
        CPANEL_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        CPANEL_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        CPANEL_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def curanet(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CURANET_API_KEY: str = ...,
    CURANET_HTTP_TIMEOUT: str = ...,
    CURANET_POLLING_INTERVAL: str = ...,
    CURANET_PROPAGATION_TIMEOUT: str = ...,
    CURANET_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Curanet.

    https://curanet.dk/

    Needs CURANET_API_KEY.

    Args:
        CURANET_API_KEY: API key
        CURANET_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CURANET_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        CURANET_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        CURANET_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def czechia(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    CZECHIA_TOKEN: str = ...,
    CZECHIA_HTTP_TIMEOUT: str = ...,
    CZECHIA_POLLING_INTERVAL: str = ...,
    CZECHIA_PROPAGATION_TIMEOUT: str = ...,
    CZECHIA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Czechia.

    https://www.czechia.com/

    Needs CZECHIA_TOKEN.

    Args:
        CZECHIA_TOKEN: Authorization token
        CZECHIA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        CZECHIA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        CZECHIA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        CZECHIA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dandomain(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DANDOMAIN_API_KEY: str = ...,
    DANDOMAIN_HTTP_TIMEOUT: str = ...,
    DANDOMAIN_POLLING_INTERVAL: str = ...,
    DANDOMAIN_PROPAGATION_TIMEOUT: str = ...,
    DANDOMAIN_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""DanDomain.

    https://dandomain.dk/

    Needs DANDOMAIN_API_KEY.

    Args:
        DANDOMAIN_API_KEY: API key
        DANDOMAIN_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DANDOMAIN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DANDOMAIN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DANDOMAIN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def ddnss(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DDNSS_KEY: str = ...,
    DDNSS_HTTP_TIMEOUT: str = ...,
    DDNSS_POLLING_INTERVAL: str = ...,
    DDNSS_PROPAGATION_TIMEOUT: str = ...,
    DDNSS_SEQUENCE_INTERVAL: str = ...,
    DDNSS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""DDnss (DynDNS Service).

    https://ddnss.de/

    Needs DDNSS_KEY.

    Args:
        DDNSS_KEY: Update key
        DDNSS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DDNSS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DDNSS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DDNSS_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        DDNSS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def derak(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DERAK_API_KEY: str = ...,
    DERAK_HTTP_TIMEOUT: str = ...,
    DERAK_POLLING_INTERVAL: str = ...,
    DERAK_PROPAGATION_TIMEOUT: str = ...,
    DERAK_TTL: str = ...,
    DERAK_WEBSITE_ID: str = ...,
    **variables: str,
) -> DNS01:
    r"""Derak Cloud.

    https://derak.cloud/

    Needs DERAK_API_KEY.

    Args:
        DERAK_API_KEY: The API key
        DERAK_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DERAK_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        DERAK_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        DERAK_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        DERAK_WEBSITE_ID: Force the zone/website ID
    """

def desec(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DESEC_TOKEN: str = ...,
    DESEC_HTTP_TIMEOUT: str = ...,
    DESEC_POLLING_INTERVAL: str = ...,
    DESEC_PROPAGATION_TIMEOUT: str = ...,
    DESEC_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""deSEC.io.

    https://desec.io

    Needs DESEC_TOKEN.

    Args:
        DESEC_TOKEN: Domain token
        DESEC_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DESEC_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 4)
        DESEC_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        DESEC_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def designate(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    OS_APPLICATION_CREDENTIAL_ID: str = ...,
    OS_APPLICATION_CREDENTIAL_NAME: str = ...,
    OS_APPLICATION_CREDENTIAL_SECRET: str = ...,
    OS_AUTH_URL: str = ...,
    OS_PASSWORD: str = ...,
    OS_PROJECT_NAME: str = ...,
    OS_REGION_NAME: str = ...,
    OS_USERNAME: str = ...,
    OS_USER_ID: str = ...,
    DESIGNATE_POLLING_INTERVAL: str = ...,
    DESIGNATE_PROPAGATION_TIMEOUT: str = ...,
    DESIGNATE_TTL: str = ...,
    DESIGNATE_ZONE_NAME: str = ...,
    OS_PROJECT_ID: str = ...,
    OS_TENANT_NAME: str = ...,
    OS_CLOUD: str = ...,
    **variables: str,
) -> DNS01:
    r"""Designate DNSaaS for Openstack.

    https://docs.openstack.org/designate/latest/

    Args:
        OS_APPLICATION_CREDENTIAL_ID: Application credential ID
        OS_APPLICATION_CREDENTIAL_NAME: Application credential name
        OS_APPLICATION_CREDENTIAL_SECRET: Application credential secret
        OS_AUTH_URL: Identity endpoint URL
        OS_PASSWORD: Password
        OS_PROJECT_NAME: Project name
        OS_REGION_NAME: Region name
        OS_USERNAME: Username
        OS_USER_ID: User ID
        DESIGNATE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        DESIGNATE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 600)
        DESIGNATE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 10)
        DESIGNATE_ZONE_NAME: The zone name to use in the OpenStack Project to manage TXT records.
        OS_PROJECT_ID: Project ID
        OS_TENANT_NAME: Tenant name (deprecated see OS_PROJECT_NAME and OS_PROJECT_ID)
        OS_CLOUD: 
    """

def digitalocean(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DO_AUTH_TOKEN: str = ...,
    DO_API_URL: str = ...,
    DO_HTTP_TIMEOUT: str = ...,
    DO_POLLING_INTERVAL: str = ...,
    DO_PROPAGATION_TIMEOUT: str = ...,
    DO_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Digital Ocean.

    https://www.digitalocean.com/docs/networking/dns/

    Needs DO_AUTH_TOKEN.

    Args:
        DO_AUTH_TOKEN: Authentication token
        DO_API_URL: The URL of the API
        DO_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DO_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        DO_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DO_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 30)
    """

def dinahosting(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DINAHOSTING_PASSWORD: str = ...,
    DINAHOSTING_USERNAME: str = ...,
    DINAHOSTING_HTTP_TIMEOUT: str = ...,
    DINAHOSTING_POLLING_INTERVAL: str = ...,
    DINAHOSTING_PROPAGATION_TIMEOUT: str = ...,
    DINAHOSTING_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Dinahosting.

    https://en.dinahosting.com

    Needs DINAHOSTING_USERNAME and DINAHOSTING_PASSWORD.

    Args:
        DINAHOSTING_PASSWORD: Password
        DINAHOSTING_USERNAME: Username
        DINAHOSTING_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DINAHOSTING_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DINAHOSTING_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DINAHOSTING_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def directadmin(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DIRECTADMIN_API_URL: str = ...,
    DIRECTADMIN_PASSWORD: str = ...,
    DIRECTADMIN_USERNAME: str = ...,
    DIRECTADMIN_HTTP_TIMEOUT: str = ...,
    DIRECTADMIN_POLLING_INTERVAL: str = ...,
    DIRECTADMIN_PROPAGATION_TIMEOUT: str = ...,
    DIRECTADMIN_TTL: str = ...,
    DIRECTADMIN_ZONE_NAME: str = ...,
    **variables: str,
) -> DNS01:
    r"""DirectAdmin.

    https://www.directadmin.com

    Needs DIRECTADMIN_API_URL and DIRECTADMIN_USERNAME and DIRECTADMIN_PASSWORD.

    Args:
        DIRECTADMIN_API_URL: URL of the API
        DIRECTADMIN_PASSWORD: API password
        DIRECTADMIN_USERNAME: API username
        DIRECTADMIN_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DIRECTADMIN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        DIRECTADMIN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DIRECTADMIN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 30)
        DIRECTADMIN_ZONE_NAME: Zone name used to add the TXT record
    """

def dns51(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNS51_API_KEY: str = ...,
    DNS51_API_SECRET: str = ...,
    DNS51_HTTP_TIMEOUT: str = ...,
    DNS51_POLLING_INTERVAL: str = ...,
    DNS51_PROPAGATION_TIMEOUT: str = ...,
    DNS51_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""51DNS.

    https://www.51dns.com

    Needs DNS51_API_KEY and DNS51_API_SECRET.

    Args:
        DNS51_API_KEY: API key
        DNS51_API_SECRET: API secret
        DNS51_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DNS51_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DNS51_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DNS51_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dnscale(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNSCALE_API_TOKEN: str = ...,
    DNSCALE_HTTP_TIMEOUT: str = ...,
    DNSCALE_POLLING_INTERVAL: str = ...,
    DNSCALE_PROPAGATION_TIMEOUT: str = ...,
    DNSCALE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""DNScale.

    https://dnscale.eu/

    Needs DNSCALE_API_TOKEN.

    Args:
        DNSCALE_API_TOKEN: API token
        DNSCALE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DNSCALE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DNSCALE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DNSCALE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dnsexit(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNSEXIT_API_KEY: str = ...,
    DNSEXIT_HTTP_TIMEOUT: str = ...,
    DNSEXIT_POLLING_INTERVAL: str = ...,
    DNSEXIT_PROPAGATION_TIMEOUT: str = ...,
    DNSEXIT_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""DNSExit.

    https://dnsexit.com

    Needs DNSEXIT_API_KEY.

    Args:
        DNSEXIT_API_KEY: API key
        DNSEXIT_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DNSEXIT_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        DNSEXIT_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        DNSEXIT_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dnshomede(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNSHOMEDE_CREDENTIALS: str = ...,
    DNSHOMEDE_HTTP_TIMEOUT: str = ...,
    DNSHOMEDE_POLLING_INTERVAL: str = ...,
    DNSHOMEDE_PROPAGATION_TIMEOUT: str = ...,
    DNSHOMEDE_SEQUENCE_INTERVAL: str = ...,
    **variables: str,
) -> DNS01:
    r"""dnsHome.de.

    https://www.dnshome.de

    Needs DNSHOMEDE_CREDENTIALS.

    Args:
        DNSHOMEDE_CREDENTIALS: Comma-separated list of domain:password credential pairs
        DNSHOMEDE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DNSHOMEDE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 1200)
        DNSHOMEDE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 2)
        DNSHOMEDE_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 120)
    """

def dnsimple(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNSIMPLE_OAUTH_TOKEN: str = ...,
    DNSIMPLE_BASE_URL: str = ...,
    DNSIMPLE_POLLING_INTERVAL: str = ...,
    DNSIMPLE_PROPAGATION_TIMEOUT: str = ...,
    DNSIMPLE_TTL: str = ...,
    DNSIMPLE_DEBUG: str = ...,
    **variables: str,
) -> DNS01:
    r"""DNSimple.

    https://dnsimple.com/

    Needs DNSIMPLE_OAUTH_TOKEN.

    Args:
        DNSIMPLE_OAUTH_TOKEN: OAuth token
        DNSIMPLE_BASE_URL: API endpoint URL
        DNSIMPLE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DNSIMPLE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DNSIMPLE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        DNSIMPLE_DEBUG: 
    """

def dnsla(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNSLA_API_ID: str = ...,
    DNSLA_API_SECRET: str = ...,
    DNSLA_HTTP_TIMEOUT: str = ...,
    DNSLA_POLLING_INTERVAL: str = ...,
    DNSLA_PROPAGATION_TIMEOUT: str = ...,
    DNSLA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""dns.la.

    https://www.dns.la

    Needs DNSLA_API_ID and DNSLA_API_SECRET.

    Args:
        DNSLA_API_ID: API ID
        DNSLA_API_SECRET: API secret
        DNSLA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DNSLA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DNSLA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DNSLA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dnsmadeeasy(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNSMADEEASY_API_KEY: str = ...,
    DNSMADEEASY_API_SECRET: str = ...,
    DNSMADEEASY_HTTP_TIMEOUT: str = ...,
    DNSMADEEASY_POLLING_INTERVAL: str = ...,
    DNSMADEEASY_PROPAGATION_TIMEOUT: str = ...,
    DNSMADEEASY_SANDBOX: str = ...,
    DNSMADEEASY_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""DNS Made Easy.

    https://dnsmadeeasy.com/

    Needs DNSMADEEASY_API_KEY and DNSMADEEASY_API_SECRET.

    Args:
        DNSMADEEASY_API_KEY: The API key
        DNSMADEEASY_API_SECRET: The API Secret key
        DNSMADEEASY_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        DNSMADEEASY_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DNSMADEEASY_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DNSMADEEASY_SANDBOX: Activate the sandbox (boolean)
        DNSMADEEASY_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dnsservices(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNSSERVICES_PASSWORD: str = ...,
    DNSSERVICES_USERNAME: str = ...,
    DNSSERVICES_HTTP_TIMEOUT: str = ...,
    DNSSERVICES_POLLING_INTERVAL: str = ...,
    DNSSERVICES_PROPAGATION_TIMEOUT: str = ...,
    DNSSERVICES_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""DNS.services.

    https://dns.services/

    Needs DNSSERVICES_USERNAME and DNSSERVICES_PASSWORD.

    Args:
        DNSSERVICES_PASSWORD: Password
        DNSSERVICES_USERNAME: Username
        DNSSERVICES_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DNSSERVICES_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DNSSERVICES_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DNSSERVICES_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dnsupdate(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DNSUPDATE_NAMESERVER: str = ...,
    DNSUPDATE_DNS_TIMEOUT: str = ...,
    DNSUPDATE_POLLING_INTERVAL: str = ...,
    DNSUPDATE_PROPAGATION_TIMEOUT: str = ...,
    DNSUPDATE_SEQUENCE_INTERVAL: str = ...,
    DNSUPDATE_TSIG_ALGORITHM: str = ...,
    DNSUPDATE_TSIG_FILE: str = ...,
    DNSUPDATE_TSIG_GSS_KEYTAB_FILE: str = ...,
    DNSUPDATE_TSIG_GSS_PASSWORD: str = ...,
    DNSUPDATE_TSIG_GSS_REALM: str = ...,
    DNSUPDATE_TSIG_GSS_USERNAME: str = ...,
    DNSUPDATE_TSIG_KEY: str = ...,
    DNSUPDATE_TSIG_SECRET: str = ...,
    DNSUPDATE_TTL: str = ...,
    DNSUPDATE_ZONES: str = ...,
    DNSUPDATE_RFC3645_KEYTAB_FILE: str = ...,
    DNSUPDATE_RFC3645_PASSWORD: str = ...,
    DNSUPDATE_RFC3645_REALM: str = ...,
    DNSUPDATE_RFC3645_USERNAME: str = ...,
    DNSUPDATE_TIMEOUT: str = ...,
    RFC2136_DNS_TIMEOUT: str = ...,
    RFC2136_NAMESERVER: str = ...,
    RFC2136_POLLING_INTERVAL: str = ...,
    RFC2136_PROPAGATION_TIMEOUT: str = ...,
    RFC2136_SEQUENCE_INTERVAL: str = ...,
    RFC2136_TIMEOUT: str = ...,
    RFC2136_TSIG_ALGORITHM: str = ...,
    RFC2136_TSIG_FILE: str = ...,
    RFC2136_TSIG_GSS_KEYTAB_FILE: str = ...,
    RFC2136_TSIG_GSS_PASSWORD: str = ...,
    RFC2136_TSIG_GSS_REALM: str = ...,
    RFC2136_TSIG_GSS_USERNAME: str = ...,
    RFC2136_TSIG_KEY: str = ...,
    RFC2136_TSIG_SECRET: str = ...,
    RFC2136_TTL: str = ...,
    RFC2136_ZONES: str = ...,
    **variables: str,
) -> DNS01:
    r"""DNS Update (RFC2136).

    https://www.rfc-editor.org/rfc/rfc2136.html

    Needs DNSUPDATE_NAMESERVER (or RFC2136_NAMESERVER).

    Args:
        DNSUPDATE_NAMESERVER: Network address in the form "host" or "host:port"
        DNSUPDATE_DNS_TIMEOUT: API request timeout in seconds (default: 10)
        DNSUPDATE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DNSUPDATE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DNSUPDATE_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        DNSUPDATE_TSIG_ALGORITHM: TSIG algorithm. See [miekg/dns#tsig.go](https://github.com/miekg/dns/blob/master/tsig.go) for supported values. To disable TSIG authentication, leave the `DNSUPDATE_TSIG_KEY` or `DNSUPDATE_TSIG_SECRET` variables unset.
        DNSUPDATE_TSIG_FILE: Path to a key file generated by tsig-keygen
        DNSUPDATE_TSIG_GSS_KEYTAB_FILE: Path to Kerberos keytab file. The TSIG algorithm must be `gss-tsig.`.
        DNSUPDATE_TSIG_GSS_PASSWORD: Kerberos password. The TSIG algorithm must be `gss-tsig.`.
        DNSUPDATE_TSIG_GSS_REALM: Kerberos realm. The TSIG algorithm must be `gss-tsig.`.
        DNSUPDATE_TSIG_GSS_USERNAME: Kerberos username. The TSIG algorithm must be `gss-tsig.`.
        DNSUPDATE_TSIG_KEY: Name of the secret key as defined in DNS server configuration. To disable TSIG authentication, leave the `DNSUPDATE_TSIG_KEY` variable unset.
        DNSUPDATE_TSIG_SECRET: Secret key payload. To disable TSIG authentication, leave the `DNSUPDATE_TSIG_SECRET` variable unset.
        DNSUPDATE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        DNSUPDATE_ZONES: List of potential zones (separated by commas)
        DNSUPDATE_RFC3645_KEYTAB_FILE: Alias to DNSUPDATE_TSIG_GSS_KEYTAB_FILE
        DNSUPDATE_RFC3645_PASSWORD: Alias to DNSUPDATE_TSIG_GSS_PASSWORD
        DNSUPDATE_RFC3645_REALM: Alias to DNSUPDATE_TSIG_GSS_REALM
        DNSUPDATE_RFC3645_USERNAME: Alias to DNSUPDATE_TSIG_GSS_USERNAME
        DNSUPDATE_TIMEOUT: 
        RFC2136_DNS_TIMEOUT: Alias to DNSUPDATE_DNS_TIMEOUT
        RFC2136_NAMESERVER: Alias to DNSUPDATE_NAMESERVER
        RFC2136_POLLING_INTERVAL: Alias to DNSUPDATE_POLLING_INTERVAL
        RFC2136_PROPAGATION_TIMEOUT: Alias to DNSUPDATE_PROPAGATION_TIMEOUT
        RFC2136_SEQUENCE_INTERVAL: Alias to DNSUPDATE_SEQUENCE_INTERVAL
        RFC2136_TIMEOUT: Alias to DNSUPDATE_TIMEOUT
        RFC2136_TSIG_ALGORITHM: Alias to DNSUPDATE_TSIG_ALGORITHM
        RFC2136_TSIG_FILE: Alias to DNSUPDATE_TSIG_FILE
        RFC2136_TSIG_GSS_KEYTAB_FILE: Alias to DNSUPDATE_TSIG_GSS_KEYTAB_FILE
        RFC2136_TSIG_GSS_PASSWORD: Alias to DNSUPDATE_TSIG_GSS_PASSWORD
        RFC2136_TSIG_GSS_REALM: Alias to DNSUPDATE_TSIG_GSS_REALM
        RFC2136_TSIG_GSS_USERNAME: Alias to DNSUPDATE_TSIG_GSS_USERNAME
        RFC2136_TSIG_KEY: Alias to DNSUPDATE_TSIG_KEY
        RFC2136_TSIG_SECRET: Alias to DNSUPDATE_TSIG_SECRET
        RFC2136_TTL: Alias to DNSUPDATE_TTL
        RFC2136_ZONES: Alias to DNSUPDATE_ZONES
    """

rfc2136 = dnsupdate

def dode(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DODE_TOKEN: str = ...,
    DODE_HTTP_TIMEOUT: str = ...,
    DODE_POLLING_INTERVAL: str = ...,
    DODE_PROPAGATION_TIMEOUT: str = ...,
    DODE_SEQUENCE_INTERVAL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Domain Offensive (do.de).

    https://www.do.de/

    Needs DODE_TOKEN.

    Args:
        DODE_TOKEN: API token
        DODE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DODE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DODE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DODE_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
    """

def domeneshop(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DOMENESHOP_API_SECRET: str = ...,
    DOMENESHOP_API_TOKEN: str = ...,
    DOMENESHOP_HTTP_TIMEOUT: str = ...,
    DOMENESHOP_POLLING_INTERVAL: str = ...,
    DOMENESHOP_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""Domeneshop.

    https://domene.shop

    Needs DOMENESHOP_API_TOKEN and DOMENESHOP_API_SECRET.

    Args:
        DOMENESHOP_API_SECRET: API secret
        DOMENESHOP_API_TOKEN: API token
        DOMENESHOP_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DOMENESHOP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 20)
        DOMENESHOP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
    """

domainnameshop = domeneshop

def dreamhost(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DREAMHOST_API_KEY: str = ...,
    DREAMHOST_HTTP_TIMEOUT: str = ...,
    DREAMHOST_POLLING_INTERVAL: str = ...,
    DREAMHOST_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""DreamHost.

    https://www.dreamhost.com

    Needs DREAMHOST_API_KEY.

    Args:
        DREAMHOST_API_KEY: The API key
        DREAMHOST_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DREAMHOST_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 60)
        DREAMHOST_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 3600)
    """

def duckdns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DUCKDNS_TOKEN: str = ...,
    DUCKDNS_HTTP_TIMEOUT: str = ...,
    DUCKDNS_POLLING_INTERVAL: str = ...,
    DUCKDNS_PROPAGATION_TIMEOUT: str = ...,
    DUCKDNS_SEQUENCE_INTERVAL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Duck DNS.

    https://www.duckdns.org/

    Needs DUCKDNS_TOKEN.

    Args:
        DUCKDNS_TOKEN: Account token
        DUCKDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DUCKDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DUCKDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DUCKDNS_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
    """

def dyn(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DYN_CUSTOMER_NAME: str = ...,
    DYN_PASSWORD: str = ...,
    DYN_USER_NAME: str = ...,
    DYN_HTTP_TIMEOUT: str = ...,
    DYN_POLLING_INTERVAL: str = ...,
    DYN_PROPAGATION_TIMEOUT: str = ...,
    DYN_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Dyn.

    https://dyn.com/

    Needs DYN_CUSTOMER_NAME and DYN_USER_NAME and DYN_PASSWORD.

    Args:
        DYN_CUSTOMER_NAME: Customer name
        DYN_PASSWORD: Password
        DYN_USER_NAME: User name
        DYN_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        DYN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DYN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DYN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dynadot(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DYNADOT_API_KEY: str = ...,
    DYNADOT_API_SECRET: str = ...,
    DYNADOT_HTTP_TIMEOUT: str = ...,
    DYNADOT_POLLING_INTERVAL: str = ...,
    DYNADOT_PROPAGATION_TIMEOUT: str = ...,
    DYNADOT_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Dynadot.

    https://www.dynadot.com/

    Needs DYNADOT_API_KEY and DYNADOT_API_SECRET.

    Args:
        DYNADOT_API_KEY: API key
        DYNADOT_API_SECRET: API secret
        DYNADOT_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DYNADOT_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DYNADOT_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        DYNADOT_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def dyndnsfree(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DYNDNSFREE_PASSWORD: str = ...,
    DYNDNSFREE_USERNAME: str = ...,
    DYNDNSFREE_HTTP_TIMEOUT: str = ...,
    DYNDNSFREE_POLLING_INTERVAL: str = ...,
    DYNDNSFREE_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""DynDnsFree.de.

    https://www.dyndnsfree.de

    Needs DYNDNSFREE_USERNAME and DYNDNSFREE_PASSWORD.

    Args:
        DYNDNSFREE_PASSWORD: Password
        DYNDNSFREE_USERNAME: Username
        DYNDNSFREE_HTTP_TIMEOUT: Request timeout in seconds (default: 30)
        DYNDNSFREE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        DYNDNSFREE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
    """

def dynu(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    DYNU_API_KEY: str = ...,
    DYNU_HTTP_TIMEOUT: str = ...,
    DYNU_POLLING_INTERVAL: str = ...,
    DYNU_PROPAGATION_TIMEOUT: str = ...,
    DYNU_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Dynu.

    https://www.dynu.com/

    Needs DYNU_API_KEY.

    Args:
        DYNU_API_KEY: API key
        DYNU_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        DYNU_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        DYNU_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 180)
        DYNU_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def easydns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EASYDNS_KEY: str = ...,
    EASYDNS_TOKEN: str = ...,
    EASYDNS_ENDPOINT: str = ...,
    EASYDNS_HTTP_TIMEOUT: str = ...,
    EASYDNS_POLLING_INTERVAL: str = ...,
    EASYDNS_PROPAGATION_TIMEOUT: str = ...,
    EASYDNS_SEQUENCE_INTERVAL: str = ...,
    EASYDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""EasyDNS.

    https://easydns.com/

    Needs EASYDNS_TOKEN and EASYDNS_KEY.

    Args:
        EASYDNS_KEY: API Key
        EASYDNS_TOKEN: API Token
        EASYDNS_ENDPOINT: The endpoint URL of the API Server
        EASYDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        EASYDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        EASYDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        EASYDNS_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        EASYDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def edgecenter(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EDGECENTER_PERMANENT_API_TOKEN: str = ...,
    EDGECENTER_HTTP_TIMEOUT: str = ...,
    EDGECENTER_POLLING_INTERVAL: str = ...,
    EDGECENTER_PROPAGATION_TIMEOUT: str = ...,
    EDGECENTER_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""EdgeCenter.

    https://edgecenter.ru/dns

    Needs EDGECENTER_PERMANENT_API_TOKEN.

    Args:
        EDGECENTER_PERMANENT_API_TOKEN: Permanent API token (https://edgecenter.ru/blog/permanent-api-token-explained/)
        EDGECENTER_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        EDGECENTER_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 20)
        EDGECENTER_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 360)
        EDGECENTER_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def edgedns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    AKAMAI_ACCESS_TOKEN: str = ...,
    AKAMAI_CLIENT_SECRET: str = ...,
    AKAMAI_CLIENT_TOKEN: str = ...,
    AKAMAI_EDGERC: str = ...,
    AKAMAI_EDGERC_SECTION: str = ...,
    AKAMAI_HOST: str = ...,
    AKAMAI_ACCOUNT_SWITCH_KEY: str = ...,
    AKAMAI_POLLING_INTERVAL: str = ...,
    AKAMAI_PROPAGATION_TIMEOUT: str = ...,
    AKAMAI_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Akamai EdgeDNS.

    https://www.akamai.com/us/en/products/security/edge-dns.jsp

    Args:
        AKAMAI_ACCESS_TOKEN: Access token, managed by the Akamai EdgeGrid client
        AKAMAI_CLIENT_SECRET: Client secret, managed by the Akamai EdgeGrid client
        AKAMAI_CLIENT_TOKEN: Client token, managed by the Akamai EdgeGrid client
        AKAMAI_EDGERC: Path to the .edgerc file, managed by the Akamai EdgeGrid client
        AKAMAI_EDGERC_SECTION: Configuration section, managed by the Akamai EdgeGrid client
        AKAMAI_HOST: API host, managed by the Akamai EdgeGrid client
        AKAMAI_ACCOUNT_SWITCH_KEY: Target account ID when the DNS zone and credentials belong to different accounts
        AKAMAI_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 15)
        AKAMAI_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 180)
        AKAMAI_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

fastdns = edgedns

def edgeone(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EDGEONE_SECRET_ID: str = ...,
    EDGEONE_SECRET_KEY: str = ...,
    EDGEONE_HTTP_TIMEOUT: str = ...,
    EDGEONE_POLLING_INTERVAL: str = ...,
    EDGEONE_PROPAGATION_TIMEOUT: str = ...,
    EDGEONE_REGION: str = ...,
    EDGEONE_SESSION_TOKEN: str = ...,
    EDGEONE_TTL: str = ...,
    EDGEONE_ZONES_MAPPING: str = ...,
    **variables: str,
) -> DNS01:
    r"""Tencent EdgeOne.

    https://edgeone.ai

    Needs EDGEONE_SECRET_ID and EDGEONE_SECRET_KEY.

    Args:
        EDGEONE_SECRET_ID: Access key ID
        EDGEONE_SECRET_KEY: Access Key secret
        EDGEONE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        EDGEONE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 30)
        EDGEONE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 1200)
        EDGEONE_REGION: Region
        EDGEONE_SESSION_TOKEN: Access Key token
        EDGEONE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
        EDGEONE_ZONES_MAPPING: Mapping between DNS zones and site IDs. (ex: 'example.org:id1,example.com:id2')
    """

def efficientip(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EFFICIENTIP_DNS_NAME: str = ...,
    EFFICIENTIP_HOSTNAME: str = ...,
    EFFICIENTIP_PASSWORD: str = ...,
    EFFICIENTIP_USERNAME: str = ...,
    EFFICIENTIP_HTTP_TIMEOUT: str = ...,
    EFFICIENTIP_INSECURE_SKIP_VERIFY: str = ...,
    EFFICIENTIP_POLLING_INTERVAL: str = ...,
    EFFICIENTIP_PROPAGATION_TIMEOUT: str = ...,
    EFFICIENTIP_VIEW_NAME: str = ...,
    **variables: str,
) -> DNS01:
    r"""Efficient IP.

    https://efficientip.com/

    Needs EFFICIENTIP_USERNAME and EFFICIENTIP_PASSWORD and EFFICIENTIP_HOSTNAME and EFFICIENTIP_DNS_NAME.

    Args:
        EFFICIENTIP_DNS_NAME: DNS name (ex: dns.smart)
        EFFICIENTIP_HOSTNAME: Hostname (ex: foo.example.com)
        EFFICIENTIP_PASSWORD: Password
        EFFICIENTIP_USERNAME: Username
        EFFICIENTIP_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        EFFICIENTIP_INSECURE_SKIP_VERIFY: Whether or not to verify EfficientIP API certificate
        EFFICIENTIP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        EFFICIENTIP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        EFFICIENTIP_VIEW_NAME: View name (ex: external)
    """

def epik(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EPIK_SIGNATURE: str = ...,
    EPIK_HTTP_TIMEOUT: str = ...,
    EPIK_POLLING_INTERVAL: str = ...,
    EPIK_PROPAGATION_TIMEOUT: str = ...,
    EPIK_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Epik.

    https://www.epik.com/

    Needs EPIK_SIGNATURE.

    Args:
        EPIK_SIGNATURE: Epik API signature (https://registrar.epik.com/account/api-settings/)
        EPIK_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        EPIK_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        EPIK_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        EPIK_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def eurodns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EURODNS_API_KEY: str = ...,
    EURODNS_APP_ID: str = ...,
    EURODNS_HTTP_TIMEOUT: str = ...,
    EURODNS_POLLING_INTERVAL: str = ...,
    EURODNS_PROPAGATION_TIMEOUT: str = ...,
    EURODNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""EuroDNS.

    https://www.eurodns.com/

    Needs EURODNS_APP_ID and EURODNS_API_KEY.

    Args:
        EURODNS_API_KEY: API key
        EURODNS_APP_ID: Application ID
        EURODNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        EURODNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        EURODNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        EURODNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def euserv(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EUSERV_EMAIL: str = ...,
    EUSERV_ORDER_ID: str = ...,
    EUSERV_PASSWORD: str = ...,
    EUSERV_HTTP_TIMEOUT: str = ...,
    EUSERV_POLLING_INTERVAL: str = ...,
    EUSERV_PROPAGATION_TIMEOUT: str = ...,
    EUSERV_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""EUserv.

    https://www.euserv.com/en/

    Needs EUSERV_EMAIL and EUSERV_PASSWORD and EUSERV_ORDER_ID.

    Args:
        EUSERV_EMAIL: The customer email address. You can also use the customer id instead.
        EUSERV_ORDER_ID: The order ID of the API contract that you want to use for this login session.
        EUSERV_PASSWORD: The customer account password.
        EUSERV_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        EUSERV_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        EUSERV_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 360)
        EUSERV_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def excedo(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EXCEDO_API_KEY: str = ...,
    EXCEDO_API_URL: str = ...,
    EXCEDO_HTTP_TIMEOUT: str = ...,
    EXCEDO_POLLING_INTERVAL: str = ...,
    EXCEDO_PROPAGATION_TIMEOUT: str = ...,
    EXCEDO_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Excedo.

    https://excedo.se/

    Needs EXCEDO_API_URL and EXCEDO_API_KEY.

    Args:
        EXCEDO_API_KEY: API key
        EXCEDO_API_URL: API base URL
        EXCEDO_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        EXCEDO_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        EXCEDO_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 600)
        EXCEDO_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def exec(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EXEC_MODE: str = ...,
    EXEC_PATH: str = ...,
    EXEC_POLLING_INTERVAL: str = ...,
    EXEC_PROPAGATION_TIMEOUT: str = ...,
    EXEC_SEQUENCE_INTERVAL: str = ...,
    **variables: str,
) -> DNS01:
    r"""External program.

    https://go-acme.github.io/lego/dns/exec

    Needs EXEC_PATH.

    Args:
        EXEC_MODE: `RAW`, none
        EXEC_PATH: The path of the the external program.
        EXEC_POLLING_INTERVAL: Time between DNS propagation check in seconds. (default: 3)
        EXEC_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds. (default: 60)
        EXEC_SEQUENCE_INTERVAL: Time between sequential requests in seconds. (default: 60)
    """

def exoscale(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    EXOSCALE_API_KEY: str = ...,
    EXOSCALE_API_SECRET: str = ...,
    EXOSCALE_ENDPOINT: str = ...,
    EXOSCALE_HTTP_TIMEOUT: str = ...,
    EXOSCALE_POLLING_INTERVAL: str = ...,
    EXOSCALE_PROPAGATION_TIMEOUT: str = ...,
    EXOSCALE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Exoscale.

    https://www.exoscale.com/

    Needs EXOSCALE_API_KEY and EXOSCALE_API_SECRET.

    Args:
        EXOSCALE_API_KEY: API key
        EXOSCALE_API_SECRET: API secret
        EXOSCALE_ENDPOINT: API endpoint URL
        EXOSCALE_HTTP_TIMEOUT: API request timeout in seconds (default: 60)
        EXOSCALE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        EXOSCALE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        EXOSCALE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def f5xc(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    F5XC_API_TOKEN: str = ...,
    F5XC_GROUP_NAME: str = ...,
    F5XC_TENANT_NAME: str = ...,
    F5XC_HTTP_TIMEOUT: str = ...,
    F5XC_POLLING_INTERVAL: str = ...,
    F5XC_PROPAGATION_TIMEOUT: str = ...,
    F5XC_SERVER: str = ...,
    F5XC_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""F5 XC.

    https://www.f5.com/products/distributed-cloud-services

    Needs F5XC_API_TOKEN and F5XC_TENANT_NAME and F5XC_GROUP_NAME.

    Args:
        F5XC_API_TOKEN: API token
        F5XC_GROUP_NAME: Group name
        F5XC_TENANT_NAME: XC Tenant shortname
        F5XC_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        F5XC_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        F5XC_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        F5XC_SERVER: Server domain (default: console.ves.volterra.io)
        F5XC_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def fornex(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    FORNEX_API_KEY: str = ...,
    FORNEX_HTTP_TIMEOUT: str = ...,
    FORNEX_POLLING_INTERVAL: str = ...,
    FORNEX_PROPAGATION_TIMEOUT: str = ...,
    FORNEX_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Fornex.

    https://fornex.com/

    Needs FORNEX_API_KEY.

    Args:
        FORNEX_API_KEY: API key
        FORNEX_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        FORNEX_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        FORNEX_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        FORNEX_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def freemyip(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    FREEMYIP_TOKEN: str = ...,
    FREEMYIP_HTTP_TIMEOUT: str = ...,
    FREEMYIP_POLLING_INTERVAL: str = ...,
    FREEMYIP_PROPAGATION_TIMEOUT: str = ...,
    FREEMYIP_SEQUENCE_INTERVAL: str = ...,
    FREEMYIP_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""freemyip.com.

    https://freemyip.com/

    Needs FREEMYIP_TOKEN.

    Args:
        FREEMYIP_TOKEN: Account token
        FREEMYIP_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        FREEMYIP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        FREEMYIP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        FREEMYIP_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        FREEMYIP_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def gandi(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GANDI_API_KEY: str = ...,
    GANDI_HTTP_TIMEOUT: str = ...,
    GANDI_POLLING_INTERVAL: str = ...,
    GANDI_PROPAGATION_TIMEOUT: str = ...,
    GANDI_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Gandi.

    https://www.gandi.net

    Needs GANDI_API_KEY.

    Args:
        GANDI_API_KEY: API key
        GANDI_HTTP_TIMEOUT: API request timeout in seconds (default: 60)
        GANDI_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 60)
        GANDI_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 2400)
        GANDI_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def gandiv5(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GANDIV5_API_KEY: str = ...,
    GANDIV5_PERSONAL_ACCESS_TOKEN: str = ...,
    GANDIV5_HTTP_TIMEOUT: str = ...,
    GANDIV5_POLLING_INTERVAL: str = ...,
    GANDIV5_PROPAGATION_TIMEOUT: str = ...,
    GANDIV5_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Gandi Live DNS (v5).

    https://www.gandi.net

    Needs GANDIV5_PERSONAL_ACCESS_TOKEN (or GANDIV5_API_KEY).

    Args:
        GANDIV5_API_KEY: API key (Deprecated)
        GANDIV5_PERSONAL_ACCESS_TOKEN: Personal Access Token
        GANDIV5_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        GANDIV5_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 20)
        GANDIV5_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 1200)
        GANDIV5_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def gcloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GCE_PROJECT: str = ...,
    GCE_SERVICE_ACCOUNT: str = ...,
    GCE_SERVICE_ACCOUNT_FILE: str = ...,
    GCE_ALLOW_PRIVATE_ZONE: str = ...,
    GCE_IMPERSONATE_SERVICE_ACCOUNT: str = ...,
    GCE_POLLING_INTERVAL: str = ...,
    GCE_PROPAGATION_TIMEOUT: str = ...,
    GCE_TTL: str = ...,
    GCE_ZONE_ID: str = ...,
    GCE_DEBUG: str = ...,
    **variables: str,
) -> DNS01:
    r"""Google Cloud.

    https://cloud.google.com

    Args:
        GCE_PROJECT: Project name (by default, the project name is auto-detected by using the metadata service)
        GCE_SERVICE_ACCOUNT: Account
        GCE_SERVICE_ACCOUNT_FILE: Account file path
        GCE_ALLOW_PRIVATE_ZONE: Allows requested domain to be in private DNS zone, works only with a private ACME server (by default: false)
        GCE_IMPERSONATE_SERVICE_ACCOUNT: Service account email to impersonate
        GCE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        GCE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 180)
        GCE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        GCE_ZONE_ID: Allows to skip the automatic detection of the zone
        GCE_DEBUG: 
    """

def gcore(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GCORE_PERMANENT_API_TOKEN: str = ...,
    GCORE_HTTP_TIMEOUT: str = ...,
    GCORE_POLLING_INTERVAL: str = ...,
    GCORE_PROPAGATION_TIMEOUT: str = ...,
    GCORE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""G-Core.

    https://gcore.com/dns/

    Needs GCORE_PERMANENT_API_TOKEN.

    Args:
        GCORE_PERMANENT_API_TOKEN: Permanent API token (https://gcore.com/blog/permanent-api-token-explained/)
        GCORE_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        GCORE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 20)
        GCORE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 360)
        GCORE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def gehirn(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GEHIRN_TOKEN_ID: str = ...,
    GEHIRN_TOKEN_SECRET: str = ...,
    GEHIRN_HTTP_TIMEOUT: str = ...,
    GEHIRN_POLLING_INTERVAL: str = ...,
    GEHIRN_PROPAGATION_TIMEOUT: str = ...,
    GEHIRN_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Gehirn.

    https://www.gehirn.jp/

    Needs GEHIRN_TOKEN_ID and GEHIRN_TOKEN_SECRET.

    Args:
        GEHIRN_TOKEN_ID: Token ID
        GEHIRN_TOKEN_SECRET: Token secret
        GEHIRN_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        GEHIRN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        GEHIRN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        GEHIRN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def gigahostno(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GIGAHOSTNO_API_KEY: str = ...,
    GIGAHOSTNO_PASSWORD: str = ...,
    GIGAHOSTNO_USERNAME: str = ...,
    GIGAHOSTNO_HTTP_TIMEOUT: str = ...,
    GIGAHOSTNO_POLLING_INTERVAL: str = ...,
    GIGAHOSTNO_PROPAGATION_TIMEOUT: str = ...,
    GIGAHOSTNO_SECRET: str = ...,
    GIGAHOSTNO_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Gigahost.no.

    https://gigahost.no/

    Needs GIGAHOSTNO_API_KEY, or GIGAHOSTNO_USERNAME and GIGAHOSTNO_PASSWORD.

    Args:
        GIGAHOSTNO_API_KEY: API key (optionnal of GIGAHOSTNO_USERNAME and GIGAHOSTNO_PASSWORD are defined)
        GIGAHOSTNO_PASSWORD: Password (optional if GIGAHOSTNO_API_KEY is defined)
        GIGAHOSTNO_USERNAME: Username (optional if GIGAHOSTNO_API_KEY is defined)
        GIGAHOSTNO_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        GIGAHOSTNO_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        GIGAHOSTNO_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        GIGAHOSTNO_SECRET: TOTP secret (Only usable with username/password)
        GIGAHOSTNO_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def glesys(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GLESYS_API_KEY: str = ...,
    GLESYS_API_USER: str = ...,
    GLESYS_HTTP_TIMEOUT: str = ...,
    GLESYS_POLLING_INTERVAL: str = ...,
    GLESYS_PROPAGATION_TIMEOUT: str = ...,
    GLESYS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Glesys.

    https://glesys.com/

    Needs GLESYS_API_USER and GLESYS_API_KEY.

    Args:
        GLESYS_API_KEY: API key
        GLESYS_API_USER: API user
        GLESYS_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        GLESYS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 20)
        GLESYS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 1200)
        GLESYS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def gname(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GNAME_APP_ID: str = ...,
    GNAME_APP_KEY: str = ...,
    GNAME_HTTP_TIMEOUT: str = ...,
    GNAME_POLLING_INTERVAL: str = ...,
    GNAME_PROPAGATION_TIMEOUT: str = ...,
    GNAME_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Gname.

    https://www.gname.com/

    Needs GNAME_APP_ID and GNAME_APP_KEY.

    Args:
        GNAME_APP_ID: App ID
        GNAME_APP_KEY: App key
        GNAME_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        GNAME_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        GNAME_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        GNAME_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def godaddy(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GODADDY_API_KEY: str = ...,
    GODADDY_API_SECRET: str = ...,
    GODADDY_HTTP_TIMEOUT: str = ...,
    GODADDY_POLLING_INTERVAL: str = ...,
    GODADDY_PROPAGATION_TIMEOUT: str = ...,
    GODADDY_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Go Daddy.

    https://godaddy.com

    Needs GODADDY_API_KEY and GODADDY_API_SECRET.

    Args:
        GODADDY_API_KEY: API key
        GODADDY_API_SECRET: API secret
        GODADDY_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        GODADDY_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        GODADDY_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        GODADDY_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def gravity(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    GRAVITY_PASSWORD: str = ...,
    GRAVITY_SERVER_URL: str = ...,
    GRAVITY_USERNAME: str = ...,
    GRAVITY_HTTP_TIMEOUT: str = ...,
    GRAVITY_POLLING_INTERVAL: str = ...,
    GRAVITY_PROPAGATION_TIMEOUT: str = ...,
    GRAVITY_SEQUENCE_INTERVAL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Gravity.

    https://gravity.beryju.io/

    Needs GRAVITY_USERNAME and GRAVITY_PASSWORD and GRAVITY_SERVER_URL.

    Args:
        GRAVITY_PASSWORD: Password
        GRAVITY_SERVER_URL: URL of the server
        GRAVITY_USERNAME: Username
        GRAVITY_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        GRAVITY_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        GRAVITY_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        GRAVITY_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 1)
    """

def hetzner(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HETZNER_API_TOKEN: str = ...,
    HETZNER_HTTP_TIMEOUT: str = ...,
    HETZNER_POLLING_INTERVAL: str = ...,
    HETZNER_PROPAGATION_TIMEOUT: str = ...,
    HETZNER_TTL: str = ...,
    HETZNER_API_KEY: str = ...,
    **variables: str,
) -> DNS01:
    r"""Hetzner.

    https://hetzner.com

    Needs HETZNER_API_TOKEN (or HETZNER_API_KEY).

    Args:
        HETZNER_API_TOKEN: API token
        HETZNER_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HETZNER_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HETZNER_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        HETZNER_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        HETZNER_API_KEY: 
    """

def hostingde(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HOSTINGDE_API_KEY: str = ...,
    HOSTINGDE_HTTP_TIMEOUT: str = ...,
    HOSTINGDE_POLLING_INTERVAL: str = ...,
    HOSTINGDE_PROPAGATION_TIMEOUT: str = ...,
    HOSTINGDE_TTL: str = ...,
    HOSTINGDE_ZONE_NAME: str = ...,
    **variables: str,
) -> DNS01:
    r"""Hosting.de.

    https://www.hosting.de/

    Needs HOSTINGDE_API_KEY.

    Args:
        HOSTINGDE_API_KEY: API key
        HOSTINGDE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HOSTINGDE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HOSTINGDE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        HOSTINGDE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        HOSTINGDE_ZONE_NAME: Zone name in ACE format
    """

def hostinger(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HOSTINGER_API_TOKEN: str = ...,
    HOSTINGER_HTTP_TIMEOUT: str = ...,
    HOSTINGER_POLLING_INTERVAL: str = ...,
    HOSTINGER_PROPAGATION_TIMEOUT: str = ...,
    HOSTINGER_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Hostinger.

    https://www.hostinger.com/

    Needs HOSTINGER_API_TOKEN.

    Args:
        HOSTINGER_API_TOKEN: API Token
        HOSTINGER_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HOSTINGER_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HOSTINGER_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        HOSTINGER_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def hostingnl(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HOSTINGNL_API_KEY: str = ...,
    HOSTINGNL_HTTP_TIMEOUT: str = ...,
    HOSTINGNL_POLLING_INTERVAL: str = ...,
    HOSTINGNL_PROPAGATION_TIMEOUT: str = ...,
    HOSTINGNL_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Hosting.nl.

    https://hosting.nl

    Needs HOSTINGNL_API_KEY.

    Args:
        HOSTINGNL_API_KEY: The API key
        HOSTINGNL_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        HOSTINGNL_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HOSTINGNL_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        HOSTINGNL_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def hosttech(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HOSTTECH_API_KEY: str = ...,
    HOSTTECH_PASSWORD: str = ...,
    HOSTTECH_HTTP_TIMEOUT: str = ...,
    HOSTTECH_POLLING_INTERVAL: str = ...,
    HOSTTECH_PROPAGATION_TIMEOUT: str = ...,
    HOSTTECH_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Hosttech.

    https://www.hosttech.eu/

    Needs HOSTTECH_API_KEY.

    Args:
        HOSTTECH_API_KEY: API login
        HOSTTECH_PASSWORD: API password
        HOSTTECH_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HOSTTECH_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HOSTTECH_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        HOSTTECH_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def hostup(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HOSTUP_API_KEY: str = ...,
    HOSTUP_HTTP_TIMEOUT: str = ...,
    HOSTUP_POLLING_INTERVAL: str = ...,
    HOSTUP_PROPAGATION_TIMEOUT: str = ...,
    HOSTUP_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""HostUp.

    https://hostup.se/en/

    Needs HOSTUP_API_KEY.

    Args:
        HOSTUP_API_KEY: API token (required scopes: read:dns, write:dns, read:domains)
        HOSTUP_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HOSTUP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HOSTUP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        HOSTUP_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def httpnet(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HTTPNET_API_KEY: str = ...,
    HTTPNET_HTTP_TIMEOUT: str = ...,
    HTTPNET_POLLING_INTERVAL: str = ...,
    HTTPNET_PROPAGATION_TIMEOUT: str = ...,
    HTTPNET_TTL: str = ...,
    HTTPNET_ZONE_NAME: str = ...,
    **variables: str,
) -> DNS01:
    r"""http.net.

    https://www.http.net/

    Needs HTTPNET_API_KEY.

    Args:
        HTTPNET_API_KEY: API key
        HTTPNET_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HTTPNET_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HTTPNET_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        HTTPNET_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        HTTPNET_ZONE_NAME: Zone name in ACE format
    """

def httpreq(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HTTPREQ_ENDPOINT: str = ...,
    HTTPREQ_MODE: str = ...,
    HTTPREQ_HTTP_TIMEOUT: str = ...,
    HTTPREQ_PASSWORD: str = ...,
    HTTPREQ_POLLING_INTERVAL: str = ...,
    HTTPREQ_PROPAGATION_TIMEOUT: str = ...,
    HTTPREQ_USERNAME: str = ...,
    **variables: str,
) -> DNS01:
    r"""HTTP request.

    https://go-acme.github.io/lego/dns/httpreq/

    Needs HTTPREQ_ENDPOINT.

    Args:
        HTTPREQ_ENDPOINT: The URL of the server
        HTTPREQ_MODE: `RAW`, none
        HTTPREQ_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HTTPREQ_PASSWORD: Basic authentication password
        HTTPREQ_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HTTPREQ_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        HTTPREQ_USERNAME: Basic authentication username
    """

def huaweicloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HUAWEICLOUD_ACCESS_KEY_ID: str = ...,
    HUAWEICLOUD_REGION: str = ...,
    HUAWEICLOUD_SECRET_ACCESS_KEY: str = ...,
    HUAWEICLOUD_HTTP_TIMEOUT: str = ...,
    HUAWEICLOUD_POLLING_INTERVAL: str = ...,
    HUAWEICLOUD_PROPAGATION_TIMEOUT: str = ...,
    HUAWEICLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Huawei Cloud.

    https://huaweicloud.com

    Needs HUAWEICLOUD_ACCESS_KEY_ID and HUAWEICLOUD_SECRET_ACCESS_KEY and HUAWEICLOUD_REGION.

    Args:
        HUAWEICLOUD_ACCESS_KEY_ID: Access key ID
        HUAWEICLOUD_REGION: Region
        HUAWEICLOUD_SECRET_ACCESS_KEY: Access Key secret
        HUAWEICLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HUAWEICLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HUAWEICLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        HUAWEICLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def hurricane(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HURRICANE_TOKENS: str = ...,
    HURRICANE_HTTP_TIMEOUT: str = ...,
    HURRICANE_POLLING_INTERVAL: str = ...,
    HURRICANE_PROPAGATION_TIMEOUT: str = ...,
    HURRICANE_SEQUENCE_INTERVAL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Hurricane Electric DNS.

    https://dns.he.net/

    Needs HURRICANE_TOKENS.

    Args:
        HURRICANE_TOKENS: TXT record names and tokens
        HURRICANE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HURRICANE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        HURRICANE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation (default: 300)
        HURRICANE_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
    """

def hyperone(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    HYPERONE_API_URL: str = ...,
    HYPERONE_HTTP_TIMEOUT: str = ...,
    HYPERONE_LOCATION_ID: str = ...,
    HYPERONE_PASSPORT_LOCATION: str = ...,
    HYPERONE_POLLING_INTERVAL: str = ...,
    HYPERONE_PROPAGATION_TIMEOUT: str = ...,
    HYPERONE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""HyperOne.

    https://www.hyperone.com

    Args:
        HYPERONE_API_URL: Allows to pass custom API Endpoint to be used in the challenge (default: https://api.hyperone.com/v2)
        HYPERONE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        HYPERONE_LOCATION_ID: Specifies location (region) to be used in API calls. (default: pl-waw-1)
        HYPERONE_PASSPORT_LOCATION: Allows to pass custom passport file location (default: ~/.h1/passport.json)
        HYPERONE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 60)
        HYPERONE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 2)
        HYPERONE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def ibmcloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SOFTLAYER_API_KEY: str = ...,
    SOFTLAYER_USERNAME: str = ...,
    SOFTLAYER_POLLING_INTERVAL: str = ...,
    SOFTLAYER_PROPAGATION_TIMEOUT: str = ...,
    SOFTLAYER_TIMEOUT: str = ...,
    SOFTLAYER_TTL: str = ...,
    SOFTLAYER_DEBUG: str = ...,
    **variables: str,
) -> DNS01:
    r"""IBM Cloud (SoftLayer).

    https://www.ibm.com/cloud/

    Needs SOFTLAYER_USERNAME and SOFTLAYER_API_KEY.

    Args:
        SOFTLAYER_API_KEY: Classic Infrastructure API key
        SOFTLAYER_USERNAME: Username (IBM Cloud is {accountID}_{emailAddress})
        SOFTLAYER_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        SOFTLAYER_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        SOFTLAYER_TIMEOUT: API request timeout in seconds (default: 30)
        SOFTLAYER_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        SOFTLAYER_DEBUG: 
    """

def iijdpf(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    IIJ_DPF_API_TOKEN: str = ...,
    IIJ_DPF_DPM_SERVICE_CODE: str = ...,
    IIJ_DPF_API_ENDPOINT: str = ...,
    IIJ_DPF_POLLING_INTERVAL: str = ...,
    IIJ_DPF_PROPAGATION_TIMEOUT: str = ...,
    IIJ_DPF_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""IIJ DNS Platform Service.

    https://www.iij.ad.jp/en/biz/dns-pfm/

    Needs IIJ_DPF_API_TOKEN and IIJ_DPF_DPM_SERVICE_CODE.

    Args:
        IIJ_DPF_API_TOKEN: API token
        IIJ_DPF_DPM_SERVICE_CODE: IIJ Managed DNS Service's service code
        IIJ_DPF_API_ENDPOINT: API endpoint URL, defaults to https://api.dns-platform.jp/dpf/v1
        IIJ_DPF_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        IIJ_DPF_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 660)
        IIJ_DPF_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def infoblox(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    INFOBLOX_HOST: str = ...,
    INFOBLOX_PASSWORD: str = ...,
    INFOBLOX_USERNAME: str = ...,
    INFOBLOX_CA_CERTIFICATE: str = ...,
    INFOBLOX_DNS_VIEW: str = ...,
    INFOBLOX_HTTP_TIMEOUT: str = ...,
    INFOBLOX_POLLING_INTERVAL: str = ...,
    INFOBLOX_PORT: str = ...,
    INFOBLOX_PROPAGATION_TIMEOUT: str = ...,
    INFOBLOX_SSL_VERIFY: str = ...,
    INFOBLOX_TTL: str = ...,
    INFOBLOX_WAPI_VERSION: str = ...,
    **variables: str,
) -> DNS01:
    r"""Infoblox.

    https://www.infoblox.com/

    Needs INFOBLOX_HOST and INFOBLOX_USERNAME and INFOBLOX_PASSWORD.

    Args:
        INFOBLOX_HOST: Host URI
        INFOBLOX_PASSWORD: Account Password
        INFOBLOX_USERNAME: Account Username
        INFOBLOX_CA_CERTIFICATE: The path to the CA certificate (PEM encoded)
        INFOBLOX_DNS_VIEW: The view for the TXT records (default: External)
        INFOBLOX_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        INFOBLOX_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        INFOBLOX_PORT: The port for the infoblox grid manager (default: 443)
        INFOBLOX_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        INFOBLOX_SSL_VERIFY: Whether or not to verify the TLS certificate (default: true)
        INFOBLOX_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        INFOBLOX_WAPI_VERSION: The version of WAPI being used (default: 2.11)
    """

def infomaniak(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    INFOMANIAK_ACCESS_TOKEN: str = ...,
    INFOMANIAK_ENDPOINT: str = ...,
    INFOMANIAK_HTTP_TIMEOUT: str = ...,
    INFOMANIAK_POLLING_INTERVAL: str = ...,
    INFOMANIAK_PROPAGATION_TIMEOUT: str = ...,
    INFOMANIAK_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Infomaniak.

    https://www.infomaniak.com/

    Needs INFOMANIAK_ACCESS_TOKEN.

    Args:
        INFOMANIAK_ACCESS_TOKEN: Access token
        INFOMANIAK_ENDPOINT: API endpoint (default: https://api.infomaniak.com)
        INFOMANIAK_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        INFOMANIAK_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        INFOMANIAK_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        INFOMANIAK_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def internetbs(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    INTERNET_BS_API_KEY: str = ...,
    INTERNET_BS_PASSWORD: str = ...,
    INTERNET_BS_HTTP_TIMEOUT: str = ...,
    INTERNET_BS_POLLING_INTERVAL: str = ...,
    INTERNET_BS_PROPAGATION_TIMEOUT: str = ...,
    INTERNET_BS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Internet.bs.

    https://internetbs.net

    Needs INTERNET_BS_API_KEY and INTERNET_BS_PASSWORD.

    Args:
        INTERNET_BS_API_KEY: API key
        INTERNET_BS_PASSWORD: API password
        INTERNET_BS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        INTERNET_BS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        INTERNET_BS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        INTERNET_BS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def inwx(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    INWX_PASSWORD: str = ...,
    INWX_USERNAME: str = ...,
    INWX_POLLING_INTERVAL: str = ...,
    INWX_PROPAGATION_TIMEOUT: str = ...,
    INWX_SANDBOX: str = ...,
    INWX_SHARED_SECRET: str = ...,
    INWX_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""INWX.

    https://www.inwx.de/en

    Needs INWX_USERNAME and INWX_PASSWORD.

    Args:
        INWX_PASSWORD: Password
        INWX_USERNAME: Username
        INWX_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        INWX_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 360)
        INWX_SANDBOX: Activate the sandbox (boolean)
        INWX_SHARED_SECRET: shared secret related to 2FA
        INWX_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def ionos(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    IONOS_API_KEY: str = ...,
    IONOS_HTTP_TIMEOUT: str = ...,
    IONOS_POLLING_INTERVAL: str = ...,
    IONOS_PROPAGATION_TIMEOUT: str = ...,
    IONOS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Ionos.

    https://ionos.com

    Needs IONOS_API_KEY.

    Args:
        IONOS_API_KEY: API key `<prefix>.<secret>` https://developer.hosting.ionos.com/docs/getstarted
        IONOS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        IONOS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        IONOS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 900)
        IONOS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def ionoscloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    IONOSCLOUD_API_TOKEN: str = ...,
    IONOSCLOUD_HTTP_TIMEOUT: str = ...,
    IONOSCLOUD_POLLING_INTERVAL: str = ...,
    IONOSCLOUD_PROPAGATION_TIMEOUT: str = ...,
    IONOSCLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Ionos Cloud.

    https://cloud.ionos.de/network/cloud-dns

    Needs IONOSCLOUD_API_TOKEN.

    Args:
        IONOSCLOUD_API_TOKEN: API token
        IONOSCLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        IONOSCLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        IONOSCLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        IONOSCLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def ipv64(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    IPV64_API_KEY: str = ...,
    IPV64_HTTP_TIMEOUT: str = ...,
    IPV64_POLLING_INTERVAL: str = ...,
    IPV64_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""IPv64.

    https://ipv64.net/

    Needs IPV64_API_KEY.

    Args:
        IPV64_API_KEY: Account API Key
        IPV64_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        IPV64_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        IPV64_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
    """

def ispconfig(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ISPCONFIG_PASSWORD: str = ...,
    ISPCONFIG_SERVER_URL: str = ...,
    ISPCONFIG_USERNAME: str = ...,
    ISPCONFIG_HTTP_TIMEOUT: str = ...,
    ISPCONFIG_INSECURE_SKIP_VERIFY: str = ...,
    ISPCONFIG_POLLING_INTERVAL: str = ...,
    ISPCONFIG_PROPAGATION_TIMEOUT: str = ...,
    ISPCONFIG_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ISPConfig 3.

    https://www.ispconfig.org/

    Needs ISPCONFIG_SERVER_URL and ISPCONFIG_USERNAME and ISPCONFIG_PASSWORD.

    Args:
        ISPCONFIG_PASSWORD: Password
        ISPCONFIG_SERVER_URL: Server URL
        ISPCONFIG_USERNAME: Username
        ISPCONFIG_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ISPCONFIG_INSECURE_SKIP_VERIFY: Whether to verify the API certificate
        ISPCONFIG_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ISPCONFIG_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ISPCONFIG_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def ispconfigddns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ISPCONFIG_DDNS_SERVER_URL: str = ...,
    ISPCONFIG_DDNS_TOKEN: str = ...,
    ISPCONFIG_DDNS_HTTP_TIMEOUT: str = ...,
    ISPCONFIG_DDNS_POLLING_INTERVAL: str = ...,
    ISPCONFIG_DDNS_PROPAGATION_TIMEOUT: str = ...,
    ISPCONFIG_DDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ISPConfig 3 - Dynamic DNS (DDNS) Module.

    https://www.ispconfig.org/

    Needs ISPCONFIG_DDNS_SERVER_URL and ISPCONFIG_DDNS_TOKEN.

    Args:
        ISPCONFIG_DDNS_SERVER_URL: API server URL (ex: https://panel.example.com:8080)
        ISPCONFIG_DDNS_TOKEN: DDNS API token
        ISPCONFIG_DDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ISPCONFIG_DDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ISPCONFIG_DDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ISPCONFIG_DDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def jdcloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    JDCLOUD_ACCESS_KEY_ID: str = ...,
    JDCLOUD_ACCESS_KEY_SECRET: str = ...,
    JDCLOUD_HTTP_TIMEOUT: str = ...,
    JDCLOUD_POLLING_INTERVAL: str = ...,
    JDCLOUD_PROPAGATION_TIMEOUT: str = ...,
    JDCLOUD_REGION_ID: str = ...,
    JDCLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""JD Cloud.

    https://www.jdcloud.com/

    Needs JDCLOUD_ACCESS_KEY_ID and JDCLOUD_ACCESS_KEY_SECRET.

    Args:
        JDCLOUD_ACCESS_KEY_ID: Access key ID
        JDCLOUD_ACCESS_KEY_SECRET: Access key secret
        JDCLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        JDCLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        JDCLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        JDCLOUD_REGION_ID: Region ID (default: cn-north-1)
        JDCLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def joker(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    JOKER_API_KEY: str = ...,
    JOKER_API_MODE: str = ...,
    JOKER_PASSWORD: str = ...,
    JOKER_USERNAME: str = ...,
    JOKER_HTTP_TIMEOUT: str = ...,
    JOKER_POLLING_INTERVAL: str = ...,
    JOKER_PROPAGATION_TIMEOUT: str = ...,
    JOKER_SEQUENCE_INTERVAL: str = ...,
    JOKER_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Joker.

    https://joker.com

    Needs JOKER_API_KEY, or JOKER_USERNAME and JOKER_PASSWORD.

    Args:
        JOKER_API_KEY: API key (only with DMAPI mode)
        JOKER_API_MODE: 'DMAPI' or 'SVC'. DMAPI is for resellers accounts. (default: DMAPI)
        JOKER_PASSWORD: Joker.com password
        JOKER_USERNAME: Joker.com username
        JOKER_HTTP_TIMEOUT: API request timeout in seconds (default: 60)
        JOKER_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        JOKER_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        JOKER_SEQUENCE_INTERVAL: Time between sequential requests in seconds, only with 'SVC' mode (default: 60)
        JOKER_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def katapult(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    KATAPULT_API_KEY: str = ...,
    KATAPULT_HTTP_TIMEOUT: str = ...,
    KATAPULT_POLLING_INTERVAL: str = ...,
    KATAPULT_PROPAGATION_TIMEOUT: str = ...,
    KATAPULT_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Katapult.

    https://katapult.io/

    Needs KATAPULT_API_KEY.

    Args:
        KATAPULT_API_KEY: API key
        KATAPULT_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        KATAPULT_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        KATAPULT_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        KATAPULT_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def keyhelp(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    KEYHELP_API_KEY: str = ...,
    KEYHELP_BASE_URL: str = ...,
    KEYHELP_HTTP_TIMEOUT: str = ...,
    KEYHELP_POLLING_INTERVAL: str = ...,
    KEYHELP_PROPAGATION_TIMEOUT: str = ...,
    KEYHELP_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""KeyHelp.

    https://www.keyweb.de/en/keyhelp/keyhelp/

    Needs KEYHELP_BASE_URL and KEYHELP_API_KEY.

    Args:
        KEYHELP_API_KEY: API key
        KEYHELP_BASE_URL: Server URL
        KEYHELP_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        KEYHELP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        KEYHELP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        KEYHELP_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def leaseweb(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    LEASEWEB_API_KEY: str = ...,
    LEASEWEB_HTTP_TIMEOUT: str = ...,
    LEASEWEB_POLLING_INTERVAL: str = ...,
    LEASEWEB_PROPAGATION_TIMEOUT: str = ...,
    LEASEWEB_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Leaseweb.

    https://www.leaseweb.com/en/

    Needs LEASEWEB_API_KEY.

    Args:
        LEASEWEB_API_KEY: API key
        LEASEWEB_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        LEASEWEB_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        LEASEWEB_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        LEASEWEB_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def liara(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    LIARA_API_KEY: str = ...,
    LIARA_HTTP_TIMEOUT: str = ...,
    LIARA_POLLING_INTERVAL: str = ...,
    LIARA_PROPAGATION_TIMEOUT: str = ...,
    LIARA_TEAM_ID: str = ...,
    LIARA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Liara.

    https://liara.ir

    Needs LIARA_API_KEY.

    Args:
        LIARA_API_KEY: The API key
        LIARA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        LIARA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        LIARA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        LIARA_TEAM_ID: The team ID to access services in a team
        LIARA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def lightsail(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    AWS_ACCESS_KEY_ID: str = ...,
    AWS_SECRET_ACCESS_KEY: str = ...,
    DNS_ZONE: str = ...,
    AWS_SHARED_CREDENTIALS_FILE: str = ...,
    LIGHTSAIL_POLLING_INTERVAL: str = ...,
    LIGHTSAIL_PROPAGATION_TIMEOUT: str = ...,
    LIGHTSAIL_REGION: str = ...,
    **variables: str,
) -> DNS01:
    r"""Amazon Lightsail.

    https://aws.amazon.com/lightsail/

    Args:
        AWS_ACCESS_KEY_ID: Managed by the AWS client. Access key ID (`AWS_ACCESS_KEY_ID_FILE` is not supported, use `AWS_SHARED_CREDENTIALS_FILE` instead)
        AWS_SECRET_ACCESS_KEY: Managed by the AWS client. Secret access key (`AWS_SECRET_ACCESS_KEY_FILE` is not supported, use `AWS_SHARED_CREDENTIALS_FILE` instead)
        DNS_ZONE: Domain name of the DNS zone
        AWS_SHARED_CREDENTIALS_FILE: Managed by the AWS client. Shared credentials file.
        LIGHTSAIL_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        LIGHTSAIL_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        LIGHTSAIL_REGION: 
    """

def limacity(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    LIMACITY_API_KEY: str = ...,
    LIMACITY_HTTP_TIMEOUT: str = ...,
    LIMACITY_POLLING_INTERVAL: str = ...,
    LIMACITY_PROPAGATION_TIMEOUT: str = ...,
    LIMACITY_SEQUENCE_INTERVAL: str = ...,
    LIMACITY_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Lima-City.

    https://www.lima-city.de

    Needs LIMACITY_API_KEY.

    Args:
        LIMACITY_API_KEY: The API key
        LIMACITY_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        LIMACITY_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 80)
        LIMACITY_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 480)
        LIMACITY_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 90)
        LIMACITY_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def linode(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    LINODE_TOKEN: str = ...,
    LINODE_HTTP_TIMEOUT: str = ...,
    LINODE_POLLING_INTERVAL: str = ...,
    LINODE_PROPAGATION_TIMEOUT: str = ...,
    LINODE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Linode (v4).

    https://www.linode.com/

    Needs LINODE_TOKEN.

    Args:
        LINODE_TOKEN: API token
        LINODE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        LINODE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 15)
        LINODE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        LINODE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

linodev4 = linode

def liquidweb(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    LWAPI_PASSWORD: str = ...,
    LWAPI_USERNAME: str = ...,
    LWAPI_HTTP_TIMEOUT: str = ...,
    LWAPI_POLLING_INTERVAL: str = ...,
    LWAPI_PROPAGATION_TIMEOUT: str = ...,
    LWAPI_TTL: str = ...,
    LWAPI_URL: str = ...,
    LWAPI_ZONE: str = ...,
    LIQUID_WEB_HTTP_TIMEOUT: str = ...,
    LIQUID_WEB_PASSWORD: str = ...,
    LIQUID_WEB_POLLING_INTERVAL: str = ...,
    LIQUID_WEB_PROPAGATION_TIMEOUT: str = ...,
    LIQUID_WEB_TTL: str = ...,
    LIQUID_WEB_URL: str = ...,
    LIQUID_WEB_USERNAME: str = ...,
    LIQUID_WEB_ZONE: str = ...,
    **variables: str,
) -> DNS01:
    r"""Liquid Web.

    https://liquidweb.com

    Needs LIQUID_WEB_USERNAME (or LWAPI_USERNAME) and LIQUID_WEB_PASSWORD (or LWAPI_PASSWORD).

    Args:
        LWAPI_PASSWORD: Liquid Web API Password
        LWAPI_USERNAME: Liquid Web API Username
        LWAPI_HTTP_TIMEOUT: API request timeout in seconds (default: 60)
        LWAPI_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        LWAPI_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        LWAPI_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
        LWAPI_URL: Liquid Web API endpoint
        LWAPI_ZONE: DNS Zone
        LIQUID_WEB_HTTP_TIMEOUT: 
        LIQUID_WEB_PASSWORD: 
        LIQUID_WEB_POLLING_INTERVAL: 
        LIQUID_WEB_PROPAGATION_TIMEOUT: 
        LIQUID_WEB_TTL: 
        LIQUID_WEB_URL: 
        LIQUID_WEB_USERNAME: 
        LIQUID_WEB_ZONE: 
    """

def loopia(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    LOOPIA_API_PASSWORD: str = ...,
    LOOPIA_API_USER: str = ...,
    LOOPIA_API_URL: str = ...,
    LOOPIA_HTTP_TIMEOUT: str = ...,
    LOOPIA_POLLING_INTERVAL: str = ...,
    LOOPIA_PROPAGATION_TIMEOUT: str = ...,
    LOOPIA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Loopia.

    https://loopia.com

    Needs LOOPIA_API_USER and LOOPIA_API_PASSWORD.

    Args:
        LOOPIA_API_PASSWORD: API password
        LOOPIA_API_USER: API username
        LOOPIA_API_URL: API endpoint. Ex: https://api.loopia.se/RPCSERV or https://api.loopia.rs/RPCSERV
        LOOPIA_HTTP_TIMEOUT: API request timeout in seconds (default: 60)
        LOOPIA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2400)
        LOOPIA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        LOOPIA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def luadns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    LUADNS_API_TOKEN: str = ...,
    LUADNS_API_USERNAME: str = ...,
    LUADNS_HTTP_TIMEOUT: str = ...,
    LUADNS_POLLING_INTERVAL: str = ...,
    LUADNS_PROPAGATION_TIMEOUT: str = ...,
    LUADNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""LuaDNS.

    https://luadns.com

    Needs LUADNS_API_USERNAME and LUADNS_API_TOKEN.

    Args:
        LUADNS_API_TOKEN: API token
        LUADNS_API_USERNAME: Username (your email)
        LUADNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        LUADNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        LUADNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        LUADNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def mailinabox(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    MAILINABOX_BASE_URL: str = ...,
    MAILINABOX_EMAIL: str = ...,
    MAILINABOX_PASSWORD: str = ...,
    MAILINABOX_HTTP_TIMEOUT: str = ...,
    MAILINABOX_POLLING_INTERVAL: str = ...,
    MAILINABOX_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""Mail-in-a-Box.

    https://mailinabox.email

    Needs MAILINABOX_BASE_URL and MAILINABOX_EMAIL and MAILINABOX_PASSWORD.

    Args:
        MAILINABOX_BASE_URL: Base API URL (ex: https://box.example.com)
        MAILINABOX_EMAIL: User email
        MAILINABOX_PASSWORD: User password
        MAILINABOX_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        MAILINABOX_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 4)
        MAILINABOX_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
    """

def manageengine(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    MANAGEENGINE_CLIENT_ID: str = ...,
    MANAGEENGINE_CLIENT_SECRET: str = ...,
    MANAGEENGINE_POLLING_INTERVAL: str = ...,
    MANAGEENGINE_PROPAGATION_TIMEOUT: str = ...,
    MANAGEENGINE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ManageEngine CloudDNS.

    https://clouddns.manageengine.com

    Needs MANAGEENGINE_CLIENT_ID and MANAGEENGINE_CLIENT_SECRET.

    Args:
        MANAGEENGINE_CLIENT_ID: Client ID
        MANAGEENGINE_CLIENT_SECRET: Client Secret
        MANAGEENGINE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        MANAGEENGINE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        MANAGEENGINE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def manual(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    MANUAL_POLLING_INTERVAL: str = ...,
    MANUAL_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""Manual.

    Args:
        MANUAL_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        MANUAL_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
    """

def metaname(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    METANAME_ACCOUNT_REFERENCE: str = ...,
    METANAME_API_KEY: str = ...,
    METANAME_POLLING_INTERVAL: str = ...,
    METANAME_PROPAGATION_TIMEOUT: str = ...,
    METANAME_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Metaname.

    https://metaname.net

    Needs METANAME_ACCOUNT_REFERENCE and METANAME_API_KEY.

    Args:
        METANAME_ACCOUNT_REFERENCE: The four-digit reference of a Metaname account
        METANAME_API_KEY: API Key
        METANAME_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        METANAME_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        METANAME_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def metaregistrar(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    METAREGISTRAR_API_TOKEN: str = ...,
    METAREGISTRAR_HTTP_TIMEOUT: str = ...,
    METAREGISTRAR_POLLING_INTERVAL: str = ...,
    METAREGISTRAR_PROPAGATION_TIMEOUT: str = ...,
    METAREGISTRAR_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Metaregistrar.

    https://metaregistrar.com/

    Needs METAREGISTRAR_API_TOKEN.

    Args:
        METAREGISTRAR_API_TOKEN: The API token
        METAREGISTRAR_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        METAREGISTRAR_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        METAREGISTRAR_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        METAREGISTRAR_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def mijnhost(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    MIJNHOST_API_KEY: str = ...,
    MIJNHOST_HTTP_TIMEOUT: str = ...,
    MIJNHOST_POLLING_INTERVAL: str = ...,
    MIJNHOST_PROPAGATION_TIMEOUT: str = ...,
    MIJNHOST_SEQUENCE_INTERVAL: str = ...,
    MIJNHOST_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""mijn.host.

    https://mijn.host/

    Needs MIJNHOST_API_KEY.

    Args:
        MIJNHOST_API_KEY: The API key
        MIJNHOST_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        MIJNHOST_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        MIJNHOST_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        MIJNHOST_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        MIJNHOST_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def mittwald(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    MITTWALD_TOKEN: str = ...,
    MITTWALD_HTTP_TIMEOUT: str = ...,
    MITTWALD_POLLING_INTERVAL: str = ...,
    MITTWALD_PROPAGATION_TIMEOUT: str = ...,
    MITTWALD_SEQUENCE_INTERVAL: str = ...,
    MITTWALD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Mittwald.

    https://www.mittwald.de/

    Needs MITTWALD_TOKEN.

    Args:
        MITTWALD_TOKEN: API token
        MITTWALD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        MITTWALD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        MITTWALD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        MITTWALD_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 120)
        MITTWALD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def myaddr(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    MYADDR_PRIVATE_KEYS_MAPPING: str = ...,
    MYADDR_HTTP_TIMEOUT: str = ...,
    MYADDR_POLLING_INTERVAL: str = ...,
    MYADDR_PROPAGATION_TIMEOUT: str = ...,
    MYADDR_SEQUENCE_INTERVAL: str = ...,
    MYADDR_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""myaddr.{tools,dev,io}.

    https://myaddr.tools/

    Needs MYADDR_PRIVATE_KEYS_MAPPING.

    Args:
        MYADDR_PRIVATE_KEYS_MAPPING: Mapping between subdomains and private keys. The format is: `<subdomain1>:<private_key1>,<subdomain2>:<private_key2>,<subdomain3>:<private_key3>`
        MYADDR_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        MYADDR_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        MYADDR_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        MYADDR_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 2)
        MYADDR_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def mydnsjp(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    MYDNSJP_MASTER_ID: str = ...,
    MYDNSJP_PASSWORD: str = ...,
    MYDNSJP_HTTP_TIMEOUT: str = ...,
    MYDNSJP_POLLING_INTERVAL: str = ...,
    MYDNSJP_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""MyDNS.jp.

    https://www.mydns.jp

    Needs MYDNSJP_MASTER_ID and MYDNSJP_PASSWORD.

    Args:
        MYDNSJP_MASTER_ID: Master ID
        MYDNSJP_PASSWORD: Password
        MYDNSJP_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        MYDNSJP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        MYDNSJP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
    """

def mythicbeasts(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    MYTHICBEASTS_PASSWORD: str = ...,
    MYTHICBEASTS_USERNAME: str = ...,
    MYTHICBEASTS_API_ENDPOINT: str = ...,
    MYTHICBEASTS_AUTH_API_ENDPOINT: str = ...,
    MYTHICBEASTS_HTTP_TIMEOUT: str = ...,
    MYTHICBEASTS_POLLING_INTERVAL: str = ...,
    MYTHICBEASTS_PROPAGATION_TIMEOUT: str = ...,
    MYTHICBEASTS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""MythicBeasts.

    https://www.mythic-beasts.com/

    Needs MYTHICBEASTS_USERNAME and MYTHICBEASTS_PASSWORD.

    Args:
        MYTHICBEASTS_PASSWORD: Password
        MYTHICBEASTS_USERNAME: User name
        MYTHICBEASTS_API_ENDPOINT: The endpoint for the API (must implement v2)
        MYTHICBEASTS_AUTH_API_ENDPOINT: The endpoint for Mythic Beasts' Authentication
        MYTHICBEASTS_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        MYTHICBEASTS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        MYTHICBEASTS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        MYTHICBEASTS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def namecheap(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NAMECHEAP_API_KEY: str = ...,
    NAMECHEAP_API_USER: str = ...,
    NAMECHEAP_HTTP_TIMEOUT: str = ...,
    NAMECHEAP_POLLING_INTERVAL: str = ...,
    NAMECHEAP_PROPAGATION_TIMEOUT: str = ...,
    NAMECHEAP_SANDBOX: str = ...,
    NAMECHEAP_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Namecheap.

    https://www.namecheap.com

    Needs NAMECHEAP_API_USER and NAMECHEAP_API_KEY.

    Args:
        NAMECHEAP_API_KEY: API key
        NAMECHEAP_API_USER: API user
        NAMECHEAP_HTTP_TIMEOUT: API request timeout in seconds (default: 60)
        NAMECHEAP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 15)
        NAMECHEAP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 3600)
        NAMECHEAP_SANDBOX: Activate the sandbox (boolean)
        NAMECHEAP_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def namedotcom(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NAMECOM_API_TOKEN: str = ...,
    NAMECOM_USERNAME: str = ...,
    NAMECOM_HTTP_TIMEOUT: str = ...,
    NAMECOM_POLLING_INTERVAL: str = ...,
    NAMECOM_PROPAGATION_TIMEOUT: str = ...,
    NAMECOM_TTL: str = ...,
    NAMECOM_SERVER: str = ...,
    **variables: str,
) -> DNS01:
    r"""Name.com.

    https://www.name.com

    Needs NAMECOM_USERNAME and NAMECOM_API_TOKEN.

    Args:
        NAMECOM_API_TOKEN: API token
        NAMECOM_USERNAME: Username
        NAMECOM_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        NAMECOM_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 20)
        NAMECOM_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 900)
        NAMECOM_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
        NAMECOM_SERVER: 
    """

def namesilo(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NAMESILO_API_KEY: str = ...,
    NAMESILO_POLLING_INTERVAL: str = ...,
    NAMESILO_PROPAGATION_TIMEOUT: str = ...,
    NAMESILO_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Namesilo.

    https://www.namesilo.com/

    Needs NAMESILO_API_KEY.

    Args:
        NAMESILO_API_KEY: Client ID
        NAMESILO_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NAMESILO_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds, it is better to set larger than 15 minutes (default: 60)
        NAMESILO_TTL: The TTL of the TXT record used for the DNS challenge in seconds, should be in [3600, 2592000] (default: 3600)
    """

def namesurfer(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NAMESURFER_API_KEY: str = ...,
    NAMESURFER_API_SECRET: str = ...,
    NAMESURFER_BASE_URL: str = ...,
    NAMESURFER_HTTP_TIMEOUT: str = ...,
    NAMESURFER_INSECURE_SKIP_VERIFY: str = ...,
    NAMESURFER_POLLING_INTERVAL: str = ...,
    NAMESURFER_PROPAGATION_TIMEOUT: str = ...,
    NAMESURFER_TTL: str = ...,
    NAMESURFER_VIEW: str = ...,
    **variables: str,
) -> DNS01:
    r"""FusionLayer NameSurfer.

    https://www.fusionlayer.com/

    Needs NAMESURFER_BASE_URL and NAMESURFER_API_KEY and NAMESURFER_API_SECRET.

    Args:
        NAMESURFER_API_KEY: API key name
        NAMESURFER_API_SECRET: API secret
        NAMESURFER_BASE_URL: The base URL of NameSurfer API (jsonrpc10) endpoint URL (e.g., https://foo.example.com:8443/API/NSService_10)
        NAMESURFER_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NAMESURFER_INSECURE_SKIP_VERIFY: Whether to verify the API certificate
        NAMESURFER_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NAMESURFER_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        NAMESURFER_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
        NAMESURFER_VIEW: DNS view name (optional, default: empty string)
    """

def nearlyfreespeech(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NEARLYFREESPEECH_API_KEY: str = ...,
    NEARLYFREESPEECH_LOGIN: str = ...,
    NEARLYFREESPEECH_HTTP_TIMEOUT: str = ...,
    NEARLYFREESPEECH_POLLING_INTERVAL: str = ...,
    NEARLYFREESPEECH_PROPAGATION_TIMEOUT: str = ...,
    NEARLYFREESPEECH_SEQUENCE_INTERVAL: str = ...,
    NEARLYFREESPEECH_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""NearlyFreeSpeech.NET.

    https://nearlyfreespeech.net/

    Needs NEARLYFREESPEECH_API_KEY and NEARLYFREESPEECH_LOGIN.

    Args:
        NEARLYFREESPEECH_API_KEY: API Key for API requests
        NEARLYFREESPEECH_LOGIN: Username for API requests
        NEARLYFREESPEECH_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NEARLYFREESPEECH_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NEARLYFREESPEECH_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        NEARLYFREESPEECH_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        NEARLYFREESPEECH_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def nederhost(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NEDERHOST_API_KEY: str = ...,
    NEDERHOST_HTTP_TIMEOUT: str = ...,
    NEDERHOST_POLLING_INTERVAL: str = ...,
    NEDERHOST_PROPAGATION_TIMEOUT: str = ...,
    NEDERHOST_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""NederHost.

    https://www.nederhost.nl/

    Needs NEDERHOST_API_KEY.

    Args:
        NEDERHOST_API_KEY: API key
        NEDERHOST_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NEDERHOST_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NEDERHOST_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        NEDERHOST_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def neodigit(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NEODIGIT_TOKEN: str = ...,
    NEODIGIT_HTTP_TIMEOUT: str = ...,
    NEODIGIT_POLLING_INTERVAL: str = ...,
    NEODIGIT_PROPAGATION_TIMEOUT: str = ...,
    NEODIGIT_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Neodigit.

    https://www.neodigit.net

    Needs NEODIGIT_TOKEN.

    Args:
        NEODIGIT_TOKEN: API token
        NEODIGIT_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NEODIGIT_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        NEODIGIT_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        NEODIGIT_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def netcup(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NETCUP_API_KEY: str = ...,
    NETCUP_API_PASSWORD: str = ...,
    NETCUP_CUSTOMER_NUMBER: str = ...,
    NETCUP_HTTP_TIMEOUT: str = ...,
    NETCUP_POLLING_INTERVAL: str = ...,
    NETCUP_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""Netcup.

    https://www.netcup.eu/

    Needs NETCUP_CUSTOMER_NUMBER and NETCUP_API_KEY and NETCUP_API_PASSWORD.

    Args:
        NETCUP_API_KEY: API key
        NETCUP_API_PASSWORD: API password
        NETCUP_CUSTOMER_NUMBER: Customer number
        NETCUP_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        NETCUP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 30)
        NETCUP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 900)
    """

def netlify(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NETLIFY_TOKEN: str = ...,
    NETLIFY_HTTP_TIMEOUT: str = ...,
    NETLIFY_POLLING_INTERVAL: str = ...,
    NETLIFY_PROPAGATION_TIMEOUT: str = ...,
    NETLIFY_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Netlify.

    https://www.netlify.com

    Needs NETLIFY_TOKEN.

    Args:
        NETLIFY_TOKEN: Token
        NETLIFY_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NETLIFY_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NETLIFY_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        NETLIFY_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def netnod(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NETNOD_TOKEN: str = ...,
    NETNOD_HTTP_TIMEOUT: str = ...,
    NETNOD_POLLING_INTERVAL: str = ...,
    NETNOD_PROPAGATION_TIMEOUT: str = ...,
    NETNOD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Netnod.

    https://www.netnod.se/dns/

    Needs NETNOD_TOKEN.

    Args:
        NETNOD_TOKEN: API token
        NETNOD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NETNOD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NETNOD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        NETNOD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def ngenix(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NGENIX_CUSTOMER_ID: str = ...,
    NGENIX_TOKEN: str = ...,
    NGENIX_USERNAME: str = ...,
    NGENIX_HTTP_TIMEOUT: str = ...,
    NGENIX_POLLING_INTERVAL: str = ...,
    NGENIX_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""Ngenix.

    https://ngenix.net

    Needs NGENIX_USERNAME and NGENIX_TOKEN and NGENIX_CUSTOMER_ID.

    Args:
        NGENIX_CUSTOMER_ID: Customer ID
        NGENIX_TOKEN: API token
        NGENIX_USERNAME: Username
        NGENIX_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NGENIX_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 20)
        NGENIX_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 600)
    """

def nicmanager(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NICMANAGER_API_EMAIL: str = ...,
    NICMANAGER_API_LOGIN: str = ...,
    NICMANAGER_API_PASSWORD: str = ...,
    NICMANAGER_API_USERNAME: str = ...,
    NICMANAGER_API_MODE: str = ...,
    NICMANAGER_API_OTP: str = ...,
    NICMANAGER_HTTP_TIMEOUT: str = ...,
    NICMANAGER_POLLING_INTERVAL: str = ...,
    NICMANAGER_PROPAGATION_TIMEOUT: str = ...,
    NICMANAGER_TTL: str = ...,
    NICMANAGER_MODE: str = ...,
    **variables: str,
) -> DNS01:
    r"""Nicmanager.

    https://www.nicmanager.com/

    Needs NICMANAGER_API_PASSWORD.

    Args:
        NICMANAGER_API_EMAIL: Email-based login
        NICMANAGER_API_LOGIN: Login, used for Username-based login
        NICMANAGER_API_PASSWORD: Password, always required
        NICMANAGER_API_USERNAME: Username, used for Username-based login
        NICMANAGER_API_MODE: mode: 'anycast' or 'zones' (for FreeDNS) (default: anycast)
        NICMANAGER_API_OTP: TOTP Secret (optional)
        NICMANAGER_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        NICMANAGER_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NICMANAGER_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        NICMANAGER_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 900)
        NICMANAGER_MODE: Alias to NICMANAGER_API_MODE
    """

def nicru(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NICRU_PASSWORD: str = ...,
    NICRU_SECRET: str = ...,
    NICRU_SERVICE_ID: str = ...,
    NICRU_USER: str = ...,
    NICRU_POLLING_INTERVAL: str = ...,
    NICRU_PROPAGATION_TIMEOUT: str = ...,
    NICRU_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""RU CENTER.

    https://nic.ru/

    Needs NICRU_USER and NICRU_PASSWORD and NICRU_SERVICE_ID and NICRU_SECRET.

    Args:
        NICRU_PASSWORD: Password for an account in RU CENTER
        NICRU_SECRET: Secret for application in DNS-hosting RU CENTER
        NICRU_SERVICE_ID: Service ID for application in DNS-hosting RU CENTER
        NICRU_USER: Agreement for an account in RU CENTER
        NICRU_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 60)
        NICRU_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 600)
        NICRU_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 30)
    """

def nifcloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NIFCLOUD_ACCESS_KEY_ID: str = ...,
    NIFCLOUD_SECRET_ACCESS_KEY: str = ...,
    NIFCLOUD_HTTP_TIMEOUT: str = ...,
    NIFCLOUD_POLLING_INTERVAL: str = ...,
    NIFCLOUD_PROPAGATION_TIMEOUT: str = ...,
    NIFCLOUD_TTL: str = ...,
    NIFCLOUD_DNS_ENDPOINT: str = ...,
    **variables: str,
) -> DNS01:
    r"""NIFCloud.

    https://www.nifcloud.com/

    Needs NIFCLOUD_ACCESS_KEY_ID and NIFCLOUD_SECRET_ACCESS_KEY.

    Args:
        NIFCLOUD_ACCESS_KEY_ID: Access key
        NIFCLOUD_SECRET_ACCESS_KEY: Secret access key
        NIFCLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NIFCLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NIFCLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        NIFCLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        NIFCLOUD_DNS_ENDPOINT: 
    """

def njalla(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NJALLA_TOKEN: str = ...,
    NJALLA_HTTP_TIMEOUT: str = ...,
    NJALLA_POLLING_INTERVAL: str = ...,
    NJALLA_PROPAGATION_TIMEOUT: str = ...,
    NJALLA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Njalla.

    https://njal.la

    Needs NJALLA_TOKEN.

    Args:
        NJALLA_TOKEN: API token
        NJALLA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NJALLA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NJALLA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        NJALLA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def nodion(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NODION_API_TOKEN: str = ...,
    NODION_HTTP_TIMEOUT: str = ...,
    NODION_POLLING_INTERVAL: str = ...,
    NODION_PROPAGATION_TIMEOUT: str = ...,
    NODION_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Nodion.

    https://www.nodion.com

    Needs NODION_API_TOKEN.

    Args:
        NODION_API_TOKEN: The API token
        NODION_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        NODION_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NODION_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        NODION_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def ns1(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    NS1_API_KEY: str = ...,
    NS1_HTTP_TIMEOUT: str = ...,
    NS1_POLLING_INTERVAL: str = ...,
    NS1_PROPAGATION_TIMEOUT: str = ...,
    NS1_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""NS1.

    https://ns1.com

    Needs NS1_API_KEY.

    Args:
        NS1_API_KEY: API key
        NS1_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        NS1_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        NS1_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        NS1_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def octenium(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    OCTENIUM_API_KEY: str = ...,
    OCTENIUM_HTTP_TIMEOUT: str = ...,
    OCTENIUM_POLLING_INTERVAL: str = ...,
    OCTENIUM_PROPAGATION_TIMEOUT: str = ...,
    OCTENIUM_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Octenium.

    https://octenium.com/

    Needs OCTENIUM_API_KEY.

    Args:
        OCTENIUM_API_KEY: API key
        OCTENIUM_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        OCTENIUM_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        OCTENIUM_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        OCTENIUM_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def omglol(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    OMGLOL_API_KEY: str = ...,
    OMGLOL_HTTP_TIMEOUT: str = ...,
    OMGLOL_POLLING_INTERVAL: str = ...,
    OMGLOL_PROPAGATION_TIMEOUT: str = ...,
    OMGLOL_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""omg.lol.

    https://home.omg.lol/

    Needs OMGLOL_API_KEY.

    Args:
        OMGLOL_API_KEY: API key
        OMGLOL_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        OMGLOL_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        OMGLOL_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        OMGLOL_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def onecloudru(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ONECLOUDRU_TOKEN: str = ...,
    ONECLOUDRU_HTTP_TIMEOUT: str = ...,
    ONECLOUDRU_POLLING_INTERVAL: str = ...,
    ONECLOUDRU_PROPAGATION_TIMEOUT: str = ...,
    ONECLOUDRU_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""1cloud.ru.

    https://1cloud.ru/

    Needs ONECLOUDRU_TOKEN.

    Args:
        ONECLOUDRU_TOKEN: API token
        ONECLOUDRU_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ONECLOUDRU_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ONECLOUDRU_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ONECLOUDRU_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def onlinenet(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ONLINENET_API_TOKEN: str = ...,
    ONLINENET_HTTP_TIMEOUT: str = ...,
    ONLINENET_POLLING_INTERVAL: str = ...,
    ONLINENET_PROPAGATION_TIMEOUT: str = ...,
    ONLINENET_SEQUENCE_INTERVAL: str = ...,
    ONLINENET_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Online.net.

    https://online.net/

    Needs ONLINENET_API_TOKEN.

    Args:
        ONLINENET_API_TOKEN: API token
        ONLINENET_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ONLINENET_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 15)
        ONLINENET_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 240)
        ONLINENET_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        ONLINENET_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def openprovider(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    OPENPROVIDER_PASSWORD: str = ...,
    OPENPROVIDER_USERNAME: str = ...,
    OPENPROVIDER_HTTP_TIMEOUT: str = ...,
    OPENPROVIDER_POLLING_INTERVAL: str = ...,
    OPENPROVIDER_PROPAGATION_TIMEOUT: str = ...,
    OPENPROVIDER_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Openprovider.

    https://www.openprovider.com/

    Needs OPENPROVIDER_USERNAME and OPENPROVIDER_PASSWORD.

    Args:
        OPENPROVIDER_PASSWORD: The user's password
        OPENPROVIDER_USERNAME: The user's name
        OPENPROVIDER_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        OPENPROVIDER_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        OPENPROVIDER_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 600)
        OPENPROVIDER_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def opusdns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    OPUSDNS_API_KEY: str = ...,
    OPUSDNS_HTTP_TIMEOUT: str = ...,
    OPUSDNS_POLLING_INTERVAL: str = ...,
    OPUSDNS_PROPAGATION_TIMEOUT: str = ...,
    OPUSDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""OpusDNS.

    https://www.opusdns.com

    Needs OPUSDNS_API_KEY.

    Args:
        OPUSDNS_API_KEY: API key (format: opk_...)
        OPUSDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        OPUSDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 4)
        OPUSDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        OPUSDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def oraclecloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    OCI_COMPARTMENT_OCID: str = ...,
    OCI_FINGERPRINT: str = ...,
    OCI_PRIVATE_KEY_PASSWORD: str = ...,
    OCI_PRIVATE_KEY_PATH: str = ...,
    OCI_REGION: str = ...,
    OCI_TENANCY_OCID: str = ...,
    OCI_USER_OCID: str = ...,
    OCI_AUTH_TYPE: str = ...,
    OCI_CONFIG_FILE: str = ...,
    OCI_HTTP_TIMEOUT: str = ...,
    OCI_POLLING_INTERVAL: str = ...,
    OCI_PROFILE: str = ...,
    OCI_PROPAGATION_TIMEOUT: str = ...,
    OCI_TTL: str = ...,
    TF_VAR_fingerprint: str = ...,
    TF_VAR_private_key_path: str = ...,
    TF_VAR_region: str = ...,
    TF_VAR_tenancy_ocid: str = ...,
    TF_VAR_user_ocid: str = ...,
    OCI_PRIVKEY: str = ...,
    OCI_PRIVKEY_FILE: str = ...,
    OCI_PRIVKEY_PASS: str = ...,
    OCI_PUBKEY_FINGERPRINT: str = ...,
    TF_VAR_private_key_password: str = ...,
    **variables: str,
) -> DNS01:
    r"""Oracle Cloud.

    https://cloud.oracle.com/home

    Args:
        OCI_COMPARTMENT_OCID: Compartment OCID
        OCI_FINGERPRINT: Public key fingerprint (ignored if `OCI_AUTH_TYPE` is not empty)
        OCI_PRIVATE_KEY_PASSWORD: Private key password (ignored if `OCI_AUTH_TYPE` is not empty)
        OCI_PRIVATE_KEY_PATH: Private key file (ignored if `OCI_AUTH_TYPE` is not empty)
        OCI_REGION: Region (it can be empty if `OCI_AUTH_TYPE` is not empty).
        OCI_TENANCY_OCID: Tenancy OCID (ignored if `OCI_AUTH_TYPE` is not empty)
        OCI_USER_OCID: User OCID (ignored if `OCI_AUTH_TYPE` is not empty)
        OCI_AUTH_TYPE: Authorization type. Possible values: 'instance_principal', 'user_principal', ''.
        OCI_CONFIG_FILE: Path to the configuration file. (only for `OCI_AUTH_TYPE=user_principal`)
        OCI_HTTP_TIMEOUT: API request timeout in seconds (default: 60)
        OCI_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        OCI_PROFILE: Profile name. (only for `OCI_AUTH_TYPE=user_principal`)
        OCI_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        OCI_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
        TF_VAR_fingerprint: Alias on `OCI_FINGERPRINT`
        TF_VAR_private_key_path: Alias on `OCI_PRIVATE_KEY_PATH`
        TF_VAR_region: Alias on `OCI_REGION`
        TF_VAR_tenancy_ocid: Alias on `OCI_TENANCY_OCID`
        TF_VAR_user_ocid: Alias on `OCI_USER_OCID`
        OCI_PRIVKEY: 
        OCI_PRIVKEY_FILE: 
        OCI_PRIVKEY_PASS: 
        OCI_PUBKEY_FINGERPRINT: 
        TF_VAR_private_key_password: Alias to OCI_PRIVKEY_PASS
    """

def otc(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    OTC_DOMAIN_NAME: str = ...,
    OTC_PASSWORD: str = ...,
    OTC_PROJECT_NAME: str = ...,
    OTC_USER_NAME: str = ...,
    OTC_HTTP_TIMEOUT: str = ...,
    OTC_IDENTITY_ENDPOINT: str = ...,
    OTC_POLLING_INTERVAL: str = ...,
    OTC_PRIVATE_ZONE: str = ...,
    OTC_PROPAGATION_TIMEOUT: str = ...,
    OTC_SEQUENCE_INTERVAL: str = ...,
    OTC_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Open Telekom Cloud.

    https://cloud.telekom.de/en

    Needs OTC_DOMAIN_NAME and OTC_USER_NAME and OTC_PASSWORD and OTC_PROJECT_NAME.

    Args:
        OTC_DOMAIN_NAME: Domain name
        OTC_PASSWORD: Password
        OTC_PROJECT_NAME: Project name
        OTC_USER_NAME: User name
        OTC_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        OTC_IDENTITY_ENDPOINT: Identity endpoint URL (default: https://iam.eu-de.otc.t-systems.com:443/v3/auth/tokens)
        OTC_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        OTC_PRIVATE_ZONE: Set to true to use private zones only (default: use public zones only)
        OTC_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        OTC_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        OTC_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def ovh(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    OVH_ACCESS_TOKEN: str = ...,
    OVH_APPLICATION_KEY: str = ...,
    OVH_APPLICATION_SECRET: str = ...,
    OVH_CLIENT_ID: str = ...,
    OVH_CLIENT_SECRET: str = ...,
    OVH_CONSUMER_KEY: str = ...,
    OVH_ENDPOINT: str = ...,
    OVH_HTTP_TIMEOUT: str = ...,
    OVH_POLLING_INTERVAL: str = ...,
    OVH_PROPAGATION_TIMEOUT: str = ...,
    OVH_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""OVH.

    https://www.ovh.com/

    Args:
        OVH_ACCESS_TOKEN: Access token
        OVH_APPLICATION_KEY: Application key (Application Key authentication)
        OVH_APPLICATION_SECRET: Application secret (Application Key authentication)
        OVH_CLIENT_ID: Client ID (OAuth2)
        OVH_CLIENT_SECRET: Client secret (OAuth2)
        OVH_CONSUMER_KEY: Consumer key (Application Key authentication)
        OVH_ENDPOINT: Endpoint URL (ovh-eu or ovh-ca)
        OVH_HTTP_TIMEOUT: API request timeout in seconds (default: 180)
        OVH_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        OVH_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        OVH_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def pdns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    PDNS_API_KEY: str = ...,
    PDNS_API_URL: str = ...,
    PDNS_API_VERSION: str = ...,
    PDNS_HTTP_TIMEOUT: str = ...,
    PDNS_POLLING_INTERVAL: str = ...,
    PDNS_PROPAGATION_TIMEOUT: str = ...,
    PDNS_SERVER_NAME: str = ...,
    PDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""PowerDNS.

    https://www.powerdns.com/

    Needs PDNS_API_KEY and PDNS_API_URL.

    Args:
        PDNS_API_KEY: API key
        PDNS_API_URL: API URL
        PDNS_API_VERSION: Skip API version autodetection and use the provided version number.
        PDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        PDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        PDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        PDNS_SERVER_NAME: Name of the server in the URL, 'localhost' by default
        PDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def plesk(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    PLESK_PASSWORD: str = ...,
    PLESK_SERVER_BASE_URL: str = ...,
    PLESK_USERNAME: str = ...,
    PLESK_HTTP_TIMEOUT: str = ...,
    PLESK_POLLING_INTERVAL: str = ...,
    PLESK_PROPAGATION_TIMEOUT: str = ...,
    PLESK_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""plesk.com.

    https://www.plesk.com/

    Needs PLESK_SERVER_BASE_URL and PLESK_USERNAME and PLESK_PASSWORD.

    Args:
        PLESK_PASSWORD: API password
        PLESK_SERVER_BASE_URL: Base URL of the server (ex: https://plesk.myserver.com:8443)
        PLESK_USERNAME: API username
        PLESK_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        PLESK_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        PLESK_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        PLESK_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def pointdns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    POINTDNS_PASSWORD: str = ...,
    POINTDNS_USERNAME: str = ...,
    POINTDNS_HTTP_TIMEOUT: str = ...,
    POINTDNS_POLLING_INTERVAL: str = ...,
    POINTDNS_PROPAGATION_TIMEOUT: str = ...,
    POINTDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""PointDNS/PointHQ.

    https://pointhq.com/

    Needs POINTDNS_USERNAME and POINTDNS_PASSWORD.

    Args:
        POINTDNS_PASSWORD: Password
        POINTDNS_USERNAME: Username
        POINTDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        POINTDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        POINTDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        POINTDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def porkbun(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    PORKBUN_API_KEY: str = ...,
    PORKBUN_SECRET_API_KEY: str = ...,
    PORKBUN_HTTP_TIMEOUT: str = ...,
    PORKBUN_POLLING_INTERVAL: str = ...,
    PORKBUN_PROPAGATION_TIMEOUT: str = ...,
    PORKBUN_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Porkbun.

    https://porkbun.com/

    Needs PORKBUN_SECRET_API_KEY and PORKBUN_API_KEY.

    Args:
        PORKBUN_API_KEY: API key
        PORKBUN_SECRET_API_KEY: secret API key
        PORKBUN_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        PORKBUN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        PORKBUN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 600)
        PORKBUN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def poweradmin(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    POWERADMIN_API_KEY: str = ...,
    POWERADMIN_BASE_URL: str = ...,
    POWERADMIN_HTTP_TIMEOUT: str = ...,
    POWERADMIN_POLLING_INTERVAL: str = ...,
    POWERADMIN_PROPAGATION_TIMEOUT: str = ...,
    POWERADMIN_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Poweradmin.

    https://www.poweradmin.org/

    Needs POWERADMIN_BASE_URL and POWERADMIN_API_KEY.

    Args:
        POWERADMIN_API_KEY: API key
        POWERADMIN_BASE_URL: Base URL
        POWERADMIN_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        POWERADMIN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        POWERADMIN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        POWERADMIN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def rackspace(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    RACKSPACE_API_KEY: str = ...,
    RACKSPACE_USER: str = ...,
    RACKSPACE_HTTP_TIMEOUT: str = ...,
    RACKSPACE_POLLING_INTERVAL: str = ...,
    RACKSPACE_PROPAGATION_TIMEOUT: str = ...,
    RACKSPACE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Rackspace.

    https://www.rackspace.com/

    Needs RACKSPACE_USER and RACKSPACE_API_KEY.

    Args:
        RACKSPACE_API_KEY: API key
        RACKSPACE_USER: API user
        RACKSPACE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        RACKSPACE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 3)
        RACKSPACE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        RACKSPACE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def rage4(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    RAGE4_PASSWORD: str = ...,
    RAGE4_USERNAME: str = ...,
    RAGE4_HTTP_TIMEOUT: str = ...,
    RAGE4_POLLING_INTERVAL: str = ...,
    RAGE4_PROPAGATION_TIMEOUT: str = ...,
    RAGE4_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Rage4.

    https://rage4.com/

    Needs RAGE4_USERNAME and RAGE4_PASSWORD.

    Args:
        RAGE4_PASSWORD: Password
        RAGE4_USERNAME: Username
        RAGE4_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        RAGE4_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        RAGE4_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        RAGE4_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def rainyun(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    RAINYUN_API_KEY: str = ...,
    RAINYUN_HTTP_TIMEOUT: str = ...,
    RAINYUN_POLLING_INTERVAL: str = ...,
    RAINYUN_PROPAGATION_TIMEOUT: str = ...,
    RAINYUN_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Rain Yun/雨云.

    https://www.rainyun.com

    Needs RAINYUN_API_KEY.

    Args:
        RAINYUN_API_KEY: API key
        RAINYUN_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        RAINYUN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        RAINYUN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        RAINYUN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def rcodezero(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    RCODEZERO_API_TOKEN: str = ...,
    RCODEZERO_HTTP_TIMEOUT: str = ...,
    RCODEZERO_POLLING_INTERVAL: str = ...,
    RCODEZERO_PROPAGATION_TIMEOUT: str = ...,
    RCODEZERO_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""RcodeZero.

    https://www.rcodezero.at/

    Needs RCODEZERO_API_TOKEN.

    Args:
        RCODEZERO_API_TOKEN: API token
        RCODEZERO_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        RCODEZERO_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        RCODEZERO_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 240)
        RCODEZERO_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def regfish(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    REGFISH_API_KEY: str = ...,
    REGFISH_HTTP_TIMEOUT: str = ...,
    REGFISH_POLLING_INTERVAL: str = ...,
    REGFISH_PROPAGATION_TIMEOUT: str = ...,
    REGFISH_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Regfish.

    https://regfish.de/

    Needs REGFISH_API_KEY.

    Args:
        REGFISH_API_KEY: API key
        REGFISH_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        REGFISH_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        REGFISH_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        REGFISH_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def regru(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    REGRU_PASSWORD: str = ...,
    REGRU_USERNAME: str = ...,
    REGRU_HTTP_TIMEOUT: str = ...,
    REGRU_POLLING_INTERVAL: str = ...,
    REGRU_PROPAGATION_TIMEOUT: str = ...,
    REGRU_TLS_CERT: str = ...,
    REGRU_TLS_KEY: str = ...,
    REGRU_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""reg.ru.

    https://www.reg.ru/

    Needs REGRU_USERNAME and REGRU_PASSWORD.

    Args:
        REGRU_PASSWORD: API password
        REGRU_USERNAME: API username
        REGRU_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        REGRU_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        REGRU_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        REGRU_TLS_CERT: authentication certificate
        REGRU_TLS_KEY: authentication private key
        REGRU_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def rimuhosting(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    RIMUHOSTING_API_KEY: str = ...,
    RIMUHOSTING_HTTP_TIMEOUT: str = ...,
    RIMUHOSTING_POLLING_INTERVAL: str = ...,
    RIMUHOSTING_PROPAGATION_TIMEOUT: str = ...,
    RIMUHOSTING_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""RimuHosting.

    https://rimuhosting.com

    Needs RIMUHOSTING_API_KEY.

    Args:
        RIMUHOSTING_API_KEY: User API key
        RIMUHOSTING_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        RIMUHOSTING_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        RIMUHOSTING_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        RIMUHOSTING_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def route53(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    AWS_ACCESS_KEY_ID: str = ...,
    AWS_ASSUME_ROLE_ARN: str = ...,
    AWS_EXTERNAL_ID: str = ...,
    AWS_HOSTED_ZONE_ID: str = ...,
    AWS_PROFILE: str = ...,
    AWS_REGION: str = ...,
    AWS_SDK_LOAD_CONFIG: str = ...,
    AWS_SECRET_ACCESS_KEY: str = ...,
    AWS_WAIT_FOR_RECORD_SETS_CHANGED: str = ...,
    AWS_MAX_RETRIES: str = ...,
    AWS_POLLING_INTERVAL: str = ...,
    AWS_PRIVATE_ZONE: str = ...,
    AWS_PROPAGATION_TIMEOUT: str = ...,
    AWS_SHARED_CREDENTIALS_FILE: str = ...,
    AWS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Amazon Route 53.

    https://aws.amazon.com/route53/

    Args:
        AWS_ACCESS_KEY_ID: Managed by the AWS client. Access key ID (`AWS_ACCESS_KEY_ID_FILE` is not supported, use `AWS_SHARED_CREDENTIALS_FILE` instead)
        AWS_ASSUME_ROLE_ARN: Managed by the AWS Role ARN (`AWS_ASSUME_ROLE_ARN_FILE` is not supported)
        AWS_EXTERNAL_ID: Managed by STS AssumeRole API operation (`AWS_EXTERNAL_ID_FILE` is not supported)
        AWS_HOSTED_ZONE_ID: Override the hosted zone ID.
        AWS_PROFILE: Managed by the AWS client (`AWS_PROFILE_FILE` is not supported)
        AWS_REGION: Managed by the AWS client (`AWS_REGION_FILE` is not supported)
        AWS_SDK_LOAD_CONFIG: Managed by the AWS client. Retrieve the region from the CLI config file (`AWS_SDK_LOAD_CONFIG_FILE` is not supported)
        AWS_SECRET_ACCESS_KEY: Managed by the AWS client. Secret access key (`AWS_SECRET_ACCESS_KEY_FILE` is not supported, use `AWS_SHARED_CREDENTIALS_FILE` instead)
        AWS_WAIT_FOR_RECORD_SETS_CHANGED: Wait for changes to be INSYNC (it can be unstable)
        AWS_MAX_RETRIES: The number of maximum returns the service will use to make an individual API request
        AWS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 4)
        AWS_PRIVATE_ZONE: Set to true to use private zones only (default: use public zones only)
        AWS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        AWS_SHARED_CREDENTIALS_FILE: Managed by the AWS client. Shared credentials file.
        AWS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 10)
    """

def safedns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SAFEDNS_AUTH_TOKEN: str = ...,
    SAFEDNS_HTTP_TIMEOUT: str = ...,
    SAFEDNS_POLLING_INTERVAL: str = ...,
    SAFEDNS_PROPAGATION_TIMEOUT: str = ...,
    SAFEDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ANS SafeDNS.

    https://www.ans.co.uk/

    Needs SAFEDNS_AUTH_TOKEN.

    Args:
        SAFEDNS_AUTH_TOKEN: Authentication token
        SAFEDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SAFEDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        SAFEDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        SAFEDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def sakuracloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SAKURACLOUD_ACCESS_TOKEN: str = ...,
    SAKURACLOUD_ACCESS_TOKEN_SECRET: str = ...,
    SAKURACLOUD_HTTP_TIMEOUT: str = ...,
    SAKURACLOUD_POLLING_INTERVAL: str = ...,
    SAKURACLOUD_PROPAGATION_TIMEOUT: str = ...,
    SAKURACLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Sakura Cloud.

    https://cloud.sakura.ad.jp/

    Needs SAKURACLOUD_ACCESS_TOKEN and SAKURACLOUD_ACCESS_TOKEN_SECRET.

    Args:
        SAKURACLOUD_ACCESS_TOKEN: Access token
        SAKURACLOUD_ACCESS_TOKEN_SECRET: Access token secret
        SAKURACLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        SAKURACLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        SAKURACLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        SAKURACLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def scaleway(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SCW_PROJECT_ID: str = ...,
    SCW_SECRET_KEY: str = ...,
    SCW_ACCESS_KEY: str = ...,
    SCW_HTTP_TIMEOUT: str = ...,
    SCW_POLLING_INTERVAL: str = ...,
    SCW_PROPAGATION_TIMEOUT: str = ...,
    SCW_TTL: str = ...,
    SCALEWAY_API_TOKEN: str = ...,
    SCALEWAY_HTTP_TIMEOUT: str = ...,
    SCALEWAY_POLLING_INTERVAL: str = ...,
    SCALEWAY_PROJECT_ID: str = ...,
    SCALEWAY_PROPAGATION_TIMEOUT: str = ...,
    SCALEWAY_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Scaleway.

    https://developers.scaleway.com/

    Needs SCW_SECRET_KEY (or SCALEWAY_API_TOKEN).

    Args:
        SCW_PROJECT_ID: Project to use (optional)
        SCW_SECRET_KEY: Secret key
        SCW_ACCESS_KEY: Access key
        SCW_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SCW_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        SCW_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        SCW_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
        SCALEWAY_API_TOKEN: 
        SCALEWAY_HTTP_TIMEOUT: 
        SCALEWAY_POLLING_INTERVAL: 
        SCALEWAY_PROJECT_ID: 
        SCALEWAY_PROPAGATION_TIMEOUT: 
        SCALEWAY_TTL: 
    """

def scannet(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SCANNET_API_KEY: str = ...,
    SCANNET_HTTP_TIMEOUT: str = ...,
    SCANNET_POLLING_INTERVAL: str = ...,
    SCANNET_PROPAGATION_TIMEOUT: str = ...,
    SCANNET_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""ScanNet.

    https://www.scannet.dk/

    Needs SCANNET_API_KEY.

    Args:
        SCANNET_API_KEY: API key
        SCANNET_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SCANNET_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        SCANNET_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        SCANNET_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def selectel(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SELECTEL_API_TOKEN: str = ...,
    SELECTEL_HTTP_TIMEOUT: str = ...,
    SELECTEL_POLLING_INTERVAL: str = ...,
    SELECTEL_PROPAGATION_TIMEOUT: str = ...,
    SELECTEL_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Selectel.

    https://kb.selectel.com/

    Needs SELECTEL_API_TOKEN.

    Args:
        SELECTEL_API_TOKEN: API token
        SELECTEL_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SELECTEL_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        SELECTEL_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        SELECTEL_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def selectelv2(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SELECTELV2_ACCOUNT_ID: str = ...,
    SELECTELV2_PASSWORD: str = ...,
    SELECTELV2_PROJECT_ID: str = ...,
    SELECTELV2_USERNAME: str = ...,
    SELECTELV2_AUTH_REGION: str = ...,
    SELECTELV2_AUTH_URL: str = ...,
    SELECTELV2_BASE_URL: str = ...,
    SELECTELV2_HTTP_TIMEOUT: str = ...,
    SELECTELV2_POLLING_INTERVAL: str = ...,
    SELECTELV2_PROPAGATION_TIMEOUT: str = ...,
    SELECTELV2_TTL: str = ...,
    SELECTELV2_USER_DOMAIN_NAME: str = ...,
    **variables: str,
) -> DNS01:
    r"""Selectel v2.

    https://selectel.ru

    Needs SELECTELV2_USERNAME and SELECTELV2_PASSWORD and SELECTELV2_ACCOUNT_ID and SELECTELV2_PROJECT_ID.

    Args:
        SELECTELV2_ACCOUNT_ID: Selectel account ID (INT)
        SELECTELV2_PASSWORD: Openstack username's password
        SELECTELV2_PROJECT_ID: Cloud project ID (UUID)
        SELECTELV2_USERNAME: Openstack username
        SELECTELV2_AUTH_REGION: Location for auth endpoint like ResellAPI or Keystone (default: ru-1)
        SELECTELV2_AUTH_URL: Identity endpoint (default: https://cloud.api.selcloud.ru/identity/v3/)
        SELECTELV2_BASE_URL: API endpoint URL
        SELECTELV2_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SELECTELV2_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        SELECTELV2_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        SELECTELV2_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
        SELECTELV2_USER_DOMAIN_NAME: To specify the domain name (account ID) where the user is located. (default: SELECTELV2_ACCOUNT_ID)
    """

def selfhostde(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SELFHOSTDE_PASSWORD: str = ...,
    SELFHOSTDE_RECORDS_MAPPING: str = ...,
    SELFHOSTDE_USERNAME: str = ...,
    SELFHOSTDE_HTTP_TIMEOUT: str = ...,
    SELFHOSTDE_POLLING_INTERVAL: str = ...,
    SELFHOSTDE_PROPAGATION_TIMEOUT: str = ...,
    SELFHOSTDE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""SelfHost.(de|eu).

    https://www.selfhost.de

    Needs SELFHOSTDE_USERNAME and SELFHOSTDE_PASSWORD and SELFHOSTDE_RECORDS_MAPPING.

    Args:
        SELFHOSTDE_PASSWORD: Password
        SELFHOSTDE_RECORDS_MAPPING: Record IDs mapping with domains (ex: example.com:123:456,example.org:789,foo.example.com:147)
        SELFHOSTDE_USERNAME: Username
        SELFHOSTDE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SELFHOSTDE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 30)
        SELFHOSTDE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 240)
        SELFHOSTDE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def servercow(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SERVERCOW_PASSWORD: str = ...,
    SERVERCOW_USERNAME: str = ...,
    SERVERCOW_HTTP_TIMEOUT: str = ...,
    SERVERCOW_POLLING_INTERVAL: str = ...,
    SERVERCOW_PROPAGATION_TIMEOUT: str = ...,
    SERVERCOW_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Servercow.

    https://servercow.de/

    Needs SERVERCOW_USERNAME and SERVERCOW_PASSWORD.

    Args:
        SERVERCOW_PASSWORD: API password
        SERVERCOW_USERNAME: API username
        SERVERCOW_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SERVERCOW_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        SERVERCOW_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        SERVERCOW_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def shellrent(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SHELLRENT_TOKEN: str = ...,
    SHELLRENT_USERNAME: str = ...,
    SHELLRENT_HTTP_TIMEOUT: str = ...,
    SHELLRENT_POLLING_INTERVAL: str = ...,
    SHELLRENT_PROPAGATION_TIMEOUT: str = ...,
    SHELLRENT_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Shellrent.

    https://www.shellrent.com/

    Needs SHELLRENT_USERNAME and SHELLRENT_TOKEN.

    Args:
        SHELLRENT_TOKEN: Token
        SHELLRENT_USERNAME: Username
        SHELLRENT_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SHELLRENT_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        SHELLRENT_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        SHELLRENT_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """

def simply(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SIMPLY_ACCOUNT_NAME: str = ...,
    SIMPLY_API_KEY: str = ...,
    SIMPLY_HTTP_TIMEOUT: str = ...,
    SIMPLY_POLLING_INTERVAL: str = ...,
    SIMPLY_PROPAGATION_TIMEOUT: str = ...,
    SIMPLY_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Simply.com.

    https://www.simply.com/en/domains/

    Needs SIMPLY_ACCOUNT_NAME and SIMPLY_API_KEY.

    Args:
        SIMPLY_ACCOUNT_NAME: Account name
        SIMPLY_API_KEY: API key
        SIMPLY_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SIMPLY_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        SIMPLY_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        SIMPLY_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def sonic(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SONIC_API_KEY: str = ...,
    SONIC_USER_ID: str = ...,
    SONIC_HTTP_TIMEOUT: str = ...,
    SONIC_POLLING_INTERVAL: str = ...,
    SONIC_PROPAGATION_TIMEOUT: str = ...,
    SONIC_SEQUENCE_INTERVAL: str = ...,
    SONIC_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Sonic.

    https://www.sonic.com/

    Needs SONIC_USER_ID and SONIC_API_KEY.

    Args:
        SONIC_API_KEY: API Key
        SONIC_USER_ID: User ID
        SONIC_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        SONIC_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        SONIC_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        SONIC_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        SONIC_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def spaceship(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SPACESHIP_API_KEY: str = ...,
    SPACESHIP_API_SECRET: str = ...,
    SPACESHIP_HTTP_TIMEOUT: str = ...,
    SPACESHIP_POLLING_INTERVAL: str = ...,
    SPACESHIP_PROPAGATION_TIMEOUT: str = ...,
    SPACESHIP_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Spaceship.

    https://www.spaceship.com/

    Needs SPACESHIP_API_KEY and SPACESHIP_API_SECRET.

    Args:
        SPACESHIP_API_KEY: API key
        SPACESHIP_API_SECRET: API secret
        SPACESHIP_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SPACESHIP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        SPACESHIP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        SPACESHIP_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def stackpath(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    STACKPATH_CLIENT_ID: str = ...,
    STACKPATH_CLIENT_SECRET: str = ...,
    STACKPATH_STACK_ID: str = ...,
    STACKPATH_POLLING_INTERVAL: str = ...,
    STACKPATH_PROPAGATION_TIMEOUT: str = ...,
    STACKPATH_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Stackpath (Deprecated).

    https://en.wikipedia.org/wiki/StackPath

    Args:
        STACKPATH_CLIENT_ID: Client ID
        STACKPATH_CLIENT_SECRET: Client secret
        STACKPATH_STACK_ID: Stack ID
        STACKPATH_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        STACKPATH_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        STACKPATH_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def syse(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SYSE_CREDENTIALS: str = ...,
    SYSE_HTTP_TIMEOUT: str = ...,
    SYSE_POLLING_INTERVAL: str = ...,
    SYSE_PROPAGATION_TIMEOUT: str = ...,
    SYSE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Syse.

    https://www.syse.no/

    Needs SYSE_CREDENTIALS.

    Args:
        SYSE_CREDENTIALS: Comma-separated list of `zone:password` credential pairs
        SYSE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        SYSE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        SYSE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 1200)
        SYSE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def technitium(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    TECHNITIUM_API_TOKEN: str = ...,
    TECHNITIUM_SERVER_BASE_URL: str = ...,
    TECHNITIUM_HTTP_TIMEOUT: str = ...,
    TECHNITIUM_POLLING_INTERVAL: str = ...,
    TECHNITIUM_PROPAGATION_TIMEOUT: str = ...,
    TECHNITIUM_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Technitium.

    https://technitium.com/

    Needs TECHNITIUM_SERVER_BASE_URL and TECHNITIUM_API_TOKEN.

    Args:
        TECHNITIUM_API_TOKEN: API token
        TECHNITIUM_SERVER_BASE_URL: Server base URL
        TECHNITIUM_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        TECHNITIUM_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        TECHNITIUM_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        TECHNITIUM_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def tele3(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    TELE3_KEY: str = ...,
    TELE3_SECRET: str = ...,
    TELE3_HTTP_TIMEOUT: str = ...,
    TELE3_POLLING_INTERVAL: str = ...,
    TELE3_PROPAGATION_TIMEOUT: str = ...,
    TELE3_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Tele3.

    https://www.tele3.cz

    Needs TELE3_KEY and TELE3_SECRET.

    Args:
        TELE3_KEY: Key
        TELE3_SECRET: Secret
        TELE3_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        TELE3_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        TELE3_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        TELE3_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def tencentcloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    TENCENTCLOUD_SECRET_ID: str = ...,
    TENCENTCLOUD_SECRET_KEY: str = ...,
    TENCENTCLOUD_HTTP_TIMEOUT: str = ...,
    TENCENTCLOUD_POLLING_INTERVAL: str = ...,
    TENCENTCLOUD_PROPAGATION_TIMEOUT: str = ...,
    TENCENTCLOUD_REGION: str = ...,
    TENCENTCLOUD_SESSION_TOKEN: str = ...,
    TENCENTCLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Tencent Cloud DNS.

    https://cloud.tencent.com/product/dns

    Needs TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY.

    Args:
        TENCENTCLOUD_SECRET_ID: Access key ID
        TENCENTCLOUD_SECRET_KEY: Access Key secret
        TENCENTCLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        TENCENTCLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        TENCENTCLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        TENCENTCLOUD_REGION: Region
        TENCENTCLOUD_SESSION_TOKEN: Access Key token
        TENCENTCLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def timewebcloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    TIMEWEBCLOUD_AUTH_TOKEN: str = ...,
    TIMEWEBCLOUD_HTTP_TIMEOUT: str = ...,
    TIMEWEBCLOUD_POLLING_INTERVAL: str = ...,
    TIMEWEBCLOUD_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""Timeweb Cloud.

    https://timeweb.cloud/

    Needs TIMEWEBCLOUD_AUTH_TOKEN.

    Args:
        TIMEWEBCLOUD_AUTH_TOKEN: Authentication token
        TIMEWEBCLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 10)
        TIMEWEBCLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        TIMEWEBCLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
    """

def todaynic(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    TODAYNIC_API_KEY: str = ...,
    TODAYNIC_AUTH_USER_ID: str = ...,
    TODAYNIC_HTTP_TIMEOUT: str = ...,
    TODAYNIC_POLLING_INTERVAL: str = ...,
    TODAYNIC_PROPAGATION_TIMEOUT: str = ...,
    TODAYNIC_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""TodayNIC/时代互联.

    https://www.todaynic.com/

    Needs TODAYNIC_AUTH_USER_ID and TODAYNIC_API_KEY.

    Args:
        TODAYNIC_API_KEY: API key
        TODAYNIC_AUTH_USER_ID: account ID
        TODAYNIC_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        TODAYNIC_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        TODAYNIC_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        TODAYNIC_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def transip(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    TRANSIP_ACCOUNT_NAME: str = ...,
    TRANSIP_PRIVATE_KEY_PATH: str = ...,
    TRANSIP_HTTP_TIMEOUT: str = ...,
    TRANSIP_POLLING_INTERVAL: str = ...,
    TRANSIP_PROPAGATION_TIMEOUT: str = ...,
    TRANSIP_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""TransIP.

    https://www.transip.nl/

    Needs TRANSIP_ACCOUNT_NAME and TRANSIP_PRIVATE_KEY_PATH.

    Args:
        TRANSIP_ACCOUNT_NAME: Account name
        TRANSIP_PRIVATE_KEY_PATH: Private key path
        TRANSIP_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        TRANSIP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        TRANSIP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 600)
        TRANSIP_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 10)
    """

def ucloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    UCLOUD_PRIVATE_KEY: str = ...,
    UCLOUD_PUBLIC_KEY: str = ...,
    UCLOUD_HTTP_TIMEOUT: str = ...,
    UCLOUD_POLLING_INTERVAL: str = ...,
    UCLOUD_PROJECT_ID: str = ...,
    UCLOUD_PROPAGATION_TIMEOUT: str = ...,
    UCLOUD_REGION: str = ...,
    UCLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""UCloud.

    https://www.ucloud.cn/

    Needs UCLOUD_PUBLIC_KEY and UCLOUD_PRIVATE_KEY.

    Args:
        UCLOUD_PRIVATE_KEY: Private key
        UCLOUD_PUBLIC_KEY: Public key
        UCLOUD_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        UCLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        UCLOUD_PROJECT_ID: Project ID
        UCLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        UCLOUD_REGION: Region
        UCLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def ultradns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ULTRADNS_PASSWORD: str = ...,
    ULTRADNS_USERNAME: str = ...,
    ULTRADNS_ENDPOINT: str = ...,
    ULTRADNS_POLLING_INTERVAL: str = ...,
    ULTRADNS_PROPAGATION_TIMEOUT: str = ...,
    ULTRADNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Ultradns.

    https://vercara.com/authoritative-dns

    Needs ULTRADNS_USERNAME and ULTRADNS_PASSWORD.

    Args:
        ULTRADNS_PASSWORD: API Password
        ULTRADNS_USERNAME: API Username
        ULTRADNS_ENDPOINT: API endpoint URL, defaults to https://api.ultradns.com/
        ULTRADNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 4)
        ULTRADNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        ULTRADNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def uniteddomains(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    UNITEDDOMAINS_API_KEY: str = ...,
    UNITEDDOMAINS_HTTP_TIMEOUT: str = ...,
    UNITEDDOMAINS_POLLING_INTERVAL: str = ...,
    UNITEDDOMAINS_PROPAGATION_TIMEOUT: str = ...,
    UNITEDDOMAINS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""United-Domains.

    https://www.united-domains.de/

    Needs UNITEDDOMAINS_API_KEY.

    Args:
        UNITEDDOMAINS_API_KEY: API key `<prefix>.<secret>` https://www.united-domains.de/help/faq-article/getting-started-with-the-united-domains-dns-api/
        UNITEDDOMAINS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        UNITEDDOMAINS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        UNITEDDOMAINS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 900)
        UNITEDDOMAINS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def variomedia(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VARIOMEDIA_API_TOKEN: str = ...,
    VARIOMEDIA_HTTP_TIMEOUT: str = ...,
    VARIOMEDIA_POLLING_INTERVAL: str = ...,
    VARIOMEDIA_PROPAGATION_TIMEOUT: str = ...,
    VARIOMEDIA_SEQUENCE_INTERVAL: str = ...,
    VARIOMEDIA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Variomedia.

    https://www.variomedia.de/

    Needs VARIOMEDIA_API_TOKEN.

    Args:
        VARIOMEDIA_API_TOKEN: API token
        VARIOMEDIA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        VARIOMEDIA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        VARIOMEDIA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        VARIOMEDIA_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        VARIOMEDIA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def veesp(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VEESP_PASSWORD: str = ...,
    VEESP_USERNAME: str = ...,
    VEESP_HTTP_TIMEOUT: str = ...,
    VEESP_POLLING_INTERVAL: str = ...,
    VEESP_PROPAGATION_TIMEOUT: str = ...,
    VEESP_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Veesp.

    https://veesp.com

    Needs VEESP_USERNAME and VEESP_PASSWORD.

    Args:
        VEESP_PASSWORD: Password
        VEESP_USERNAME: Username
        VEESP_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        VEESP_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        VEESP_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        VEESP_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def vegadns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    SECRET_VEGADNS_KEY: str = ...,
    SECRET_VEGADNS_SECRET: str = ...,
    VEGADNS_URL: str = ...,
    VEGADNS_POLLING_INTERVAL: str = ...,
    VEGADNS_PROPAGATION_TIMEOUT: str = ...,
    VEGADNS_TTL: str = ...,
    VEGADNS_HTTP_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""VegaDNS.

    https://github.com/shupp/VegaDNS-API

    Needs VEGADNS_URL.

    Args:
        SECRET_VEGADNS_KEY: API key
        SECRET_VEGADNS_SECRET: API secret
        VEGADNS_URL: API endpoint URL
        VEGADNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 60)
        VEGADNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 720)
        VEGADNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 10)
        VEGADNS_HTTP_TIMEOUT: 
    """

def vercel(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VERCEL_API_TOKEN: str = ...,
    VERCEL_HTTP_TIMEOUT: str = ...,
    VERCEL_POLLING_INTERVAL: str = ...,
    VERCEL_PROPAGATION_TIMEOUT: str = ...,
    VERCEL_TEAM_ID: str = ...,
    VERCEL_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Vercel.

    https://vercel.com

    Needs VERCEL_API_TOKEN.

    Args:
        VERCEL_API_TOKEN: Authentication token
        VERCEL_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        VERCEL_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        VERCEL_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        VERCEL_TEAM_ID: Team ID (ex: team_xxxxxxxxxxxxxxxxxxxxxxxx)
        VERCEL_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def versio(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VERSIO_PASSWORD: str = ...,
    VERSIO_USERNAME: str = ...,
    VERSIO_ENDPOINT: str = ...,
    VERSIO_HTTP_TIMEOUT: str = ...,
    VERSIO_POLLING_INTERVAL: str = ...,
    VERSIO_PROPAGATION_TIMEOUT: str = ...,
    VERSIO_SEQUENCE_INTERVAL: str = ...,
    VERSIO_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Versio.[nl|eu|uk].

    https://www.versio.nl/domeinnamen

    Needs VERSIO_USERNAME and VERSIO_PASSWORD.

    Args:
        VERSIO_PASSWORD: Basic authentication password
        VERSIO_USERNAME: Basic authentication username
        VERSIO_ENDPOINT: The endpoint URL of the API Server
        VERSIO_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        VERSIO_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        VERSIO_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        VERSIO_SEQUENCE_INTERVAL: Time between sequential requests in seconds (default: 60)
        VERSIO_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def vinyldns(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VINYLDNS_ACCESS_KEY: str = ...,
    VINYLDNS_HOST: str = ...,
    VINYLDNS_SECRET_KEY: str = ...,
    VINYLDNS_HTTP_TIMEOUT: str = ...,
    VINYLDNS_POLLING_INTERVAL: str = ...,
    VINYLDNS_PROPAGATION_TIMEOUT: str = ...,
    VINYLDNS_QUOTE_VALUE: str = ...,
    VINYLDNS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""VinylDNS.

    https://www.vinyldns.io

    Needs VINYLDNS_ACCESS_KEY and VINYLDNS_SECRET_KEY and VINYLDNS_HOST.

    Args:
        VINYLDNS_ACCESS_KEY: The VinylDNS API key
        VINYLDNS_HOST: The VinylDNS API URL
        VINYLDNS_SECRET_KEY: The VinylDNS API Secret key
        VINYLDNS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        VINYLDNS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 4)
        VINYLDNS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        VINYLDNS_QUOTE_VALUE: Adds quotes around the TXT record value (default: false)
        VINYLDNS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 30)
    """

def virtualname(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VIRTUALNAME_TOKEN: str = ...,
    VIRTUALNAME_HTTP_TIMEOUT: str = ...,
    VIRTUALNAME_POLLING_INTERVAL: str = ...,
    VIRTUALNAME_PROPAGATION_TIMEOUT: str = ...,
    VIRTUALNAME_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Virtualname.

    https://www.virtualname.es/

    Needs VIRTUALNAME_TOKEN.

    Args:
        VIRTUALNAME_TOKEN: API token
        VIRTUALNAME_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        VIRTUALNAME_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        VIRTUALNAME_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
        VIRTUALNAME_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def vkcloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VK_CLOUD_PASSWORD: str = ...,
    VK_CLOUD_PROJECT_ID: str = ...,
    VK_CLOUD_USERNAME: str = ...,
    VK_CLOUD_DNS_ENDPOINT: str = ...,
    VK_CLOUD_DOMAIN_NAME: str = ...,
    VK_CLOUD_IDENTITY_ENDPOINT: str = ...,
    VK_CLOUD_POLLING_INTERVAL: str = ...,
    VK_CLOUD_PROPAGATION_TIMEOUT: str = ...,
    VK_CLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""VK Cloud.

    https://mcs.mail.ru/

    Needs VK_CLOUD_PROJECT_ID and VK_CLOUD_USERNAME and VK_CLOUD_PASSWORD.

    Args:
        VK_CLOUD_PASSWORD: Password for VK Cloud account
        VK_CLOUD_PROJECT_ID: String ID of project in VK Cloud
        VK_CLOUD_USERNAME: Email of VK Cloud account
        VK_CLOUD_DNS_ENDPOINT: URL of DNS API. Defaults to https://mcs.mail.ru/public-dns but can be changed for usage with private clouds
        VK_CLOUD_DOMAIN_NAME: Openstack users domain name. Defaults to `users` but can be changed for usage with private clouds
        VK_CLOUD_IDENTITY_ENDPOINT: URL of OpenStack Auth API, Defaults to https://infra.mail.ru:35357/v3/ but can be changed for usage with private clouds
        VK_CLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        VK_CLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        VK_CLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def volcengine(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VOLC_ACCESSKEY: str = ...,
    VOLC_SECRETKEY: str = ...,
    VOLC_HOST: str = ...,
    VOLC_HTTP_TIMEOUT: str = ...,
    VOLC_POLLING_INTERVAL: str = ...,
    VOLC_PROPAGATION_TIMEOUT: str = ...,
    VOLC_REGION: str = ...,
    VOLC_SCHEME: str = ...,
    VOLC_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Volcano Engine/火山引擎.

    https://www.volcengine.com/

    Needs VOLC_ACCESSKEY and VOLC_SECRETKEY.

    Args:
        VOLC_ACCESSKEY: Access Key ID (AK)
        VOLC_SECRETKEY: Secret Access Key (SK)
        VOLC_HOST: API host
        VOLC_HTTP_TIMEOUT: API request timeout in seconds (default: 15)
        VOLC_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        VOLC_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 240)
        VOLC_REGION: Region
        VOLC_SCHEME: API scheme
        VOLC_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def vscale(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VSCALE_API_TOKEN: str = ...,
    VSCALE_HTTP_TIMEOUT: str = ...,
    VSCALE_POLLING_INTERVAL: str = ...,
    VSCALE_PROPAGATION_TIMEOUT: str = ...,
    VSCALE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Vscale.

    https://vscale.io/

    Needs VSCALE_API_TOKEN.

    Args:
        VSCALE_API_TOKEN: API token
        VSCALE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        VSCALE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        VSCALE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        VSCALE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def vultr(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    VULTR_API_KEY: str = ...,
    VULTR_HTTP_TIMEOUT: str = ...,
    VULTR_POLLING_INTERVAL: str = ...,
    VULTR_PROPAGATION_TIMEOUT: str = ...,
    VULTR_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Vultr.

    https://www.vultr.com/

    Needs VULTR_API_KEY.

    Args:
        VULTR_API_KEY: API key
        VULTR_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        VULTR_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        VULTR_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        VULTR_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def wannafind(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    WANNAFIND_API_KEY: str = ...,
    WANNAFIND_HTTP_TIMEOUT: str = ...,
    WANNAFIND_POLLING_INTERVAL: str = ...,
    WANNAFIND_PROPAGATION_TIMEOUT: str = ...,
    WANNAFIND_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Wannafind.

    https://www.wannafind.dk/

    Needs WANNAFIND_API_KEY.

    Args:
        WANNAFIND_API_KEY: API key
        WANNAFIND_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        WANNAFIND_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        WANNAFIND_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        WANNAFIND_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def webnamesca(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    WEBNAMESCA_API_KEY: str = ...,
    WEBNAMESCA_API_USER: str = ...,
    WEBNAMESCA_HTTP_TIMEOUT: str = ...,
    WEBNAMESCA_POLLING_INTERVAL: str = ...,
    WEBNAMESCA_PROPAGATION_TIMEOUT: str = ...,
    WEBNAMESCA_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""webnames.ca.

    https://www.webnames.ca/

    Needs WEBNAMESCA_API_USER and WEBNAMESCA_API_KEY.

    Args:
        WEBNAMESCA_API_KEY: API key
        WEBNAMESCA_API_USER: API username
        WEBNAMESCA_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        WEBNAMESCA_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        WEBNAMESCA_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        WEBNAMESCA_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def webnamesru(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    WEBNAMESRU_API_KEY: str = ...,
    WEBNAMESRU_HTTP_TIMEOUT: str = ...,
    WEBNAMESRU_POLLING_INTERVAL: str = ...,
    WEBNAMESRU_PROPAGATION_TIMEOUT: str = ...,
    WEBNAMES_API_KEY: str = ...,
    WEBNAMES_HTTP_TIMEOUT: str = ...,
    WEBNAMES_POLLING_INTERVAL: str = ...,
    WEBNAMES_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""webnames.ru.

    https://www.webnames.ru/

    Needs WEBNAMESRU_API_KEY (or WEBNAMES_API_KEY).

    Args:
        WEBNAMESRU_API_KEY: Domain API key
        WEBNAMESRU_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        WEBNAMESRU_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        WEBNAMESRU_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        WEBNAMES_API_KEY: Alias to WEBNAMESRU_API_KEY
        WEBNAMES_HTTP_TIMEOUT: Alias to WEBNAMESRU_HTTP_TIMEOUT
        WEBNAMES_POLLING_INTERVAL: Alias to WEBNAMESRU_POLLING_INTERVAL
        WEBNAMES_PROPAGATION_TIMEOUT: Alias to WEBNAMESRU_PROPAGATION_TIMEOUT
    """

webnames = webnamesru

def websupport(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    WEBSUPPORT_API_KEY: str = ...,
    WEBSUPPORT_SECRET: str = ...,
    WEBSUPPORT_HTTP_TIMEOUT: str = ...,
    WEBSUPPORT_POLLING_INTERVAL: str = ...,
    WEBSUPPORT_PROPAGATION_TIMEOUT: str = ...,
    WEBSUPPORT_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Websupport.

    https://websupport.sk

    Needs WEBSUPPORT_API_KEY and WEBSUPPORT_SECRET.

    Args:
        WEBSUPPORT_API_KEY: API key
        WEBSUPPORT_SECRET: API secret
        WEBSUPPORT_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        WEBSUPPORT_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        WEBSUPPORT_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        WEBSUPPORT_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 600)
    """

def wedos(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    WEDOS_USERNAME: str = ...,
    WEDOS_WAPI_PASSWORD: str = ...,
    WEDOS_HTTP_TIMEOUT: str = ...,
    WEDOS_POLLING_INTERVAL: str = ...,
    WEDOS_PROPAGATION_TIMEOUT: str = ...,
    WEDOS_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""WEDOS.

    https://www.wedos.com

    Needs WEDOS_USERNAME and WEDOS_WAPI_PASSWORD.

    Args:
        WEDOS_USERNAME: Username is the same as for the admin account
        WEDOS_WAPI_PASSWORD: Password needs to be generated and IP allowed in the admin interface
        WEDOS_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        WEDOS_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        WEDOS_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 600)
        WEDOS_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 300)
    """

def westcn(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    WESTCN_PASSWORD: str = ...,
    WESTCN_USERNAME: str = ...,
    WESTCN_HTTP_TIMEOUT: str = ...,
    WESTCN_POLLING_INTERVAL: str = ...,
    WESTCN_PROPAGATION_TIMEOUT: str = ...,
    WESTCN_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""West.cn/西部数码.

    https://www.west.cn

    Needs WESTCN_USERNAME and WESTCN_PASSWORD.

    Args:
        WESTCN_PASSWORD: API password
        WESTCN_USERNAME: Username
        WESTCN_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        WESTCN_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 10)
        WESTCN_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 120)
        WESTCN_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def xinnet(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    XINNET_AGENT_ID: str = ...,
    XINNET_SECRET: str = ...,
    XINNET_HTTP_TIMEOUT: str = ...,
    XINNET_POLLING_INTERVAL: str = ...,
    XINNET_PROPAGATION_TIMEOUT: str = ...,
    XINNET_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Xinnet.

    https://www.xinnet.com/

    Needs XINNET_SECRET and XINNET_AGENT_ID.

    Args:
        XINNET_AGENT_ID: Agent ID
        XINNET_SECRET: Application secret
        XINNET_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        XINNET_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        XINNET_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        XINNET_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def yandex(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    YANDEX_PDD_TOKEN: str = ...,
    YANDEX_HTTP_TIMEOUT: str = ...,
    YANDEX_POLLING_INTERVAL: str = ...,
    YANDEX_PROPAGATION_TIMEOUT: str = ...,
    YANDEX_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Yandex PDD.

    https://pdd.yandex.com

    Needs YANDEX_PDD_TOKEN.

    Args:
        YANDEX_PDD_TOKEN: Basic authentication username
        YANDEX_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        YANDEX_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        YANDEX_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        YANDEX_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 21600)
    """

def yandex360(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    YANDEX360_OAUTH_TOKEN: str = ...,
    YANDEX360_ORG_ID: str = ...,
    YANDEX360_HTTP_TIMEOUT: str = ...,
    YANDEX360_POLLING_INTERVAL: str = ...,
    YANDEX360_PROPAGATION_TIMEOUT: str = ...,
    YANDEX360_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Yandex 360.

    https://360.yandex.ru

    Needs YANDEX360_OAUTH_TOKEN and YANDEX360_ORG_ID.

    Args:
        YANDEX360_OAUTH_TOKEN: The OAuth Token
        YANDEX360_ORG_ID: The organization ID
        YANDEX360_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        YANDEX360_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        YANDEX360_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        YANDEX360_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 21600)
    """

def yandexcloud(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    YANDEX_CLOUD_FOLDER_ID: str = ...,
    YANDEX_CLOUD_IAM_TOKEN: str = ...,
    YANDEX_CLOUD_POLLING_INTERVAL: str = ...,
    YANDEX_CLOUD_PROPAGATION_TIMEOUT: str = ...,
    YANDEX_CLOUD_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Yandex Cloud.

    https://cloud.yandex.com

    Needs YANDEX_CLOUD_IAM_TOKEN and YANDEX_CLOUD_FOLDER_ID.

    Args:
        YANDEX_CLOUD_FOLDER_ID: The string id of folder (aka project) in Yandex Cloud
        YANDEX_CLOUD_IAM_TOKEN: The base64 encoded json which contains information about iam token of service account with `dns.admin` permissions
        YANDEX_CLOUD_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        YANDEX_CLOUD_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        YANDEX_CLOUD_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 60)
    """

def zilore(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ZILORE_ACCESS_KEY: str = ...,
    ZILORE_HTTP_TIMEOUT: str = ...,
    ZILORE_POLLING_INTERVAL: str = ...,
    ZILORE_PROPAGATION_TIMEOUT: str = ...,
    ZILORE_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Zilore.

    https://zilore.com/en

    Needs ZILORE_ACCESS_KEY.

    Args:
        ZILORE_ACCESS_KEY: Access key
        ZILORE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ZILORE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ZILORE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ZILORE_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 120)
    """

def zoneedit(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ZONEEDIT_AUTH_TOKEN: str = ...,
    ZONEEDIT_USER: str = ...,
    ZONEEDIT_HTTP_TIMEOUT: str = ...,
    ZONEEDIT_POLLING_INTERVAL: str = ...,
    ZONEEDIT_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""ZoneEdit.

    https://www.zoneedit.com

    Needs ZONEEDIT_USER and ZONEEDIT_AUTH_TOKEN.

    Args:
        ZONEEDIT_AUTH_TOKEN: Authentication token
        ZONEEDIT_USER: User ID
        ZONEEDIT_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ZONEEDIT_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ZONEEDIT_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
    """

def zoneee(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ZONEEE_API_KEY: str = ...,
    ZONEEE_API_USER: str = ...,
    ZONEEE_ENDPOINT: str = ...,
    ZONEEE_HTTP_TIMEOUT: str = ...,
    ZONEEE_POLLING_INTERVAL: str = ...,
    ZONEEE_PROPAGATION_TIMEOUT: str = ...,
    **variables: str,
) -> DNS01:
    r"""Zone.ee.

    https://www.zone.ee/

    Needs ZONEEE_API_USER and ZONEEE_API_KEY.

    Args:
        ZONEEE_API_KEY: API key
        ZONEEE_API_USER: API user
        ZONEEE_ENDPOINT: API endpoint URL
        ZONEEE_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ZONEEE_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 5)
        ZONEEE_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 300)
    """

def zonomi(
    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
    ZONOMI_API_KEY: str = ...,
    ZONOMI_HTTP_TIMEOUT: str = ...,
    ZONOMI_POLLING_INTERVAL: str = ...,
    ZONOMI_PROPAGATION_TIMEOUT: str = ...,
    ZONOMI_TTL: str = ...,
    **variables: str,
) -> DNS01:
    r"""Zonomi.

    https://zonomi.com

    Needs ZONOMI_API_KEY.

    Args:
        ZONOMI_API_KEY: User API key
        ZONOMI_HTTP_TIMEOUT: API request timeout in seconds (default: 30)
        ZONOMI_POLLING_INTERVAL: Time between DNS propagation check in seconds (default: 2)
        ZONOMI_PROPAGATION_TIMEOUT: Maximum waiting time for DNS propagation in seconds (default: 60)
        ZONOMI_TTL: The TTL of the TXT record used for the DNS challenge in seconds (default: 3600)
    """
