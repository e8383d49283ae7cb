"""Alibaba Cloud: https://www.alibabacloud.com/help/en/dns/api-alidns-2015-01-09-overview"""

from tests.dns.apis.server import API, SECRET, ZONE, below


def domains(records, sent):
    zone = {"DomainId": "1", "DomainName": ZONE, "PunyCode": ZONE}
    return {"PageNumber": 1, "PageSize": 20, "TotalCount": 1, "Domains": {"Domain": [zone]}}


def create(records, sent):
    return {"RecordId": str(records.add(below(sent["RR"]), sent["Value"]))}


def read(records, sent):
    found = [
        {
            "RecordId": str(number),
            "RR": name.removesuffix(f".{ZONE}"),
            "Type": "TXT",
            "Value": value,
        }
        for number, (name, value) in records.kept.items()
    ]
    return {"TotalCount": len(found), "DomainRecords": {"Record": found}}


def delete(records, sent):
    records.remove(sent["RecordId"])
    return {"RecordId": sent["RecordId"]}


_ACTIONS = {
    "DescribeDomains": domains,
    "AddDomainRecord": create,
    "DescribeDomainRecords": read,
    "DeleteDomainRecord": delete,
}


def act(records, request):
    answer = _ACTIONS[request.headers["x-acs-action"]](records, request.query)
    return {**answer, "RequestId": "1"}


ALIBABA = API(
    "alidns",
    settings={"ALICLOUD_ACCESS_KEY": "key", "ALICLOUD_SECRET_KEY": SECRET},
    authorized=lambda request: request.token.startswith("Credential=key,"),
    routes={"POST alidns.cn-hangzhou.aliyuncs.com/": act},
)
