"""Tencent Cloud: https://cloud.tencent.com/document/api/1427"""

from tests.dns.apis.server import API, SECRET, ZONE, below


def domains(records, sent):
    zone = {"DomainId": 1, "Name": ZONE, "Punycode": ZONE}
    return {"DomainCountInfo": {"AllTotal": 1}, "DomainList": [zone]}


def create(records, sent):
    return {"RecordId": records.add(below(sent["SubDomain"]), sent["Value"])}


def read(records, sent):
    found = records.at(below(sent["Subdomain"]))
    if not found:
        nothing = {"Code": "ResourceNotFound.NoDataOfRecord", "Message": "记录列表为空。"}
        return {"Error": nothing}
    return {"RecordList": [{"RecordId": number, "Value": found[number]} for number in found]}


def delete(records, sent):
    records.remove(sent["RecordId"])
    return {}


_ACTIONS = {
    "DescribeDomainList": domains,
    "CreateRecord": create,
    "DescribeRecordList": read,
    "DeleteRecord": delete,
}


def act(records, request):
    answer = _ACTIONS[request.headers["X-TC-Action"]](records, request.json)
    return {"Response": {**answer, "RequestId": "1"}}


TENCENT = API(
    "tencentcloud",
    settings={"TENCENTCLOUD_SECRET_ID": "key", "TENCENTCLOUD_SECRET_KEY": SECRET},
    authorized=lambda request: request.token.startswith("Credential=key/"),
    routes={"POST dnspod.tencentcloudapi.com/": act},
)
