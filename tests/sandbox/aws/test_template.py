from pathlib import Path
from typing import Any

import pytest

from spotty_sandbox.aws import LocalAwsError
from spotty_sandbox.aws.template import read, with_code


def parsed(text: str, folder: Path) -> object:
    """The value of X's property P, written so."""
    file = folder / "template.yaml"
    file.write_text(f"Resources:\n  X:\n    Type: T\n    Properties:\n      P: {text}\n")
    value: object = read(file)["Resources"]["X"]["Properties"]["P"]
    return value


@pytest.mark.parametrize(
    "text, meant",
    [
        ("!Ref Table", {"Ref": "Table"}),
        ("!Condition IsProd", {"Condition": "IsProd"}),
        ("!GetAtt Table.Arn", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("!GetAtt Nested.Outputs.Url", {"Fn::GetAtt": ["Nested", "Outputs.Url"]}),
        ("!Sub ${A}-b", {"Fn::Sub": "${A}-b"}),
        ("!Sub ['${a}', {a: !Ref B}]", {"Fn::Sub": ["${a}", {"a": {"Ref": "B"}}]}),
        ("!If [IsProd, !Ref A, !Ref AWS::NoValue]", {"Fn::If": ["IsProd", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]}),
        ("!Join ['', [!Ref A, b]]", {"Fn::Join": ["", [{"Ref": "A"}, "b"]]}),
        ("!FindInMap [M, !Ref K, v]", {"Fn::FindInMap": ["M", {"Ref": "K"}, "v"]}),
        (
            "!Transform {Name: N, Parameters: {a: !Ref B}}",
            {"Fn::Transform": {"Name": "N", "Parameters": {"a": {"Ref": "B"}}}},
        ),
        ("2012-10-17", "2012-10-17"),
        ("true", True),
    ],
)
def test_short_forms_are_what_they_stand_for(text: str, meant: object, tmp_path: Path) -> None:
    """Each tag of CloudFormation's YAML, nested too; a policy's version stays a word."""
    assert parsed(text, tmp_path) == meant


@pytest.mark.parametrize(
    "text, told",
    [
        ("a: [", "cannot be read: while parsing"),
        ("- a", "is no template: it has no Resources"),
        ("a: !!python/object/apply:os.getcwd []", "cannot be read: could not determine a constructor"),
    ],
)
def test_what_is_no_template_is_told_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    """Which file, and what is wrong with it; nothing in it is run."""
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(LocalAwsError, match=f"bad.yaml {told}") as error:
        read(file)
    assert "\n" not in str(error.value)


def functions(**properties: object) -> dict[str, Any]:
    """A template with one function of SAM's."""
    one = {"Type": "AWS::Serverless::Function", "Metadata": {"BuildMethod": "makefile"}, "Properties": properties}
    return {"Resources": {"F": one, "T": {"Type": "AWS::SNS::Topic"}}}


def test_code_is_put_where_it_was_uploaded() -> None:
    """For both kinds of function; the template given stays as it was."""
    template = functions(CodeUri="src/")
    template["Resources"]["G"] = {"Type": "AWS::Lambda::Function"}
    placed = with_code(template, "bucket", {"F": "f.zip", "G": "g.zip"})["Resources"]
    assert placed["F"] == {
        "Type": "AWS::Serverless::Function",
        "Properties": {"CodeUri": {"Bucket": "bucket", "Key": "f.zip"}},
    }
    assert placed["G"]["Properties"] == {"Code": {"S3Bucket": "bucket", "S3Key": "g.zip"}}
    assert template["Resources"]["F"]["Properties"] == {"CodeUri": "src/"}


def test_inline_code_needs_no_artifact() -> None:
    """Neither SAM's way of writing it nor CloudFormation's."""
    template = functions(InlineCode="pass")
    template["Resources"]["G"] = {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"ZipFile": "pass"}}}
    assert with_code(template, "bucket", {}) == template


def test_code_for_nobody_and_nobody_s_code_are_told() -> None:
    """A misspelt function does not end as a stack that fails late."""
    with pytest.raises(LocalAwsError, match="the template has no function Apj"):
        with_code(functions(CodeUri="src/"), "bucket", {"Apj": "f.zip"})
    with pytest.raises(LocalAwsError, match="function F has no artifact"):
        with_code(functions(CodeUri="src/"), "bucket", {})
