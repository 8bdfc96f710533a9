"""How many instances: bounds of the Simple Profile, and `count` of the field."""

import pytest

from isthmus.topology import Scaling

MARKED = """
capability_types:
  tosca.capabilities.indigo.Scalable:
    derived_from: tosca.capabilities.Scalable
    properties: { count: { type: integer, default: 1, required: no } }
node_types:
  tosca.nodes.indigo.Compute:
    derived_from: tosca.nodes.Compute
    capabilities: { scalable: { type: tosca.capabilities.indigo.Scalable } }
"""


def template(type_, properties):
    return (
        f"topology_template: {{ node_templates: {{ m: {{ type: {type_}, capabilities: "
        f"{{ scalable: {{ properties: {properties} }} }} }} }} }}\n"
    )


@pytest.mark.parametrize(
    ("properties", "scaling"),
    [
        ("{}", Scaling(1, 1, 1)),
        ("{ default_instances: 3 }", Scaling(1, 3, 3)),
        ("{ max_instances: 3 }", Scaling(1, 3, 1)),
        ("{ min_instances: 2, max_instances: 5 }", Scaling(2, 5, 2)),
        ("{ min_instances: 0, max_instances: 5, default_instances: 0 }", Scaling(0, 5, 0)),
    ],
)
def test_bounds_come_from_what_the_template_assigns(properties, scaling, resolved):
    assert resolved(template("Compute", properties)).nodes["m"].scaling == scaling


@pytest.mark.parametrize(
    ("properties", "scaling"),
    [
        ("{ count: 0 }", Scaling(0, 1, 0)),
        ("{ count: 3 }", Scaling(1, 3, 3)),
        ("{ count: 3, max_instances: 9 }", Scaling(1, 9, 3)),
        ("{ count: 1, min_instances: 0, max_instances: 2 }", Scaling(0, 2, 1)),
        ("{ max_instances: 4 }", Scaling(1, 4, 1)),
    ],
)
def test_count_of_the_field_is_the_number_at_first(properties, scaling, loaded):
    result = loaded(MARKED + template("tosca.nodes.indigo.Compute", properties))
    assert result.topology.nodes["m"].scaling == scaling
    assert "count" in result.leniencies


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ("{ min_instances: 3, max_instances: 2 }", "scaling"),
        ("{ default_instances: 5, max_instances: 2 }", "scaling"),
        ("{ min_instances: -1 }", "scaling"),
        ("{ max_instances: 99999999 }", "scaling"),
        ("{ count: 2 }", "property-unknown"),
        ("{ max_instances: { get_attribute: [ m, tosca_id ] } }", "scaling"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(properties, code, refused):
    assert code in {c for c, _, _ in refused(template("Compute", properties))}
