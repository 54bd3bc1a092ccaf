using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Backbones;
using Graft.Networks;
using static TorchSharp.torch;

namespace Graft.ParityTests.Networks;

/// <summary>
/// Networks with formula weights against the float64 results that Fixtures/make_fixtures.py wrote down: a few numbers each, for
/// the networks that ../shared has no reference of.
/// </summary>
public class FixtureTests
{
    /// <summary>Of the standard deviation; as for the networks of ../shared.</summary>
    private const double Tolerance = 1e-3;

    private static readonly Lazy<JsonElement[]> Fixtures = new(() =>
    {
        using var stream = typeof(FixtureTests).Assembly.GetManifestResourceStream("networks.json")!;
        return [.. JsonDocument.Parse(stream).RootElement.EnumerateArray()];
    });

    public static TheoryData<int, string> Rows =>
        new(Fixtures.Value.Select((fixture, index) => (index, $"{fixture.GetProperty("name")} {fixture.GetProperty("height")}×{fixture.GetProperty("width")}")));

    [Theory]
    [MemberData(nameof(Rows))]
    public void Network_agrees_with_its_fixture(int index, string name)
    {
        var fixture = Fixtures.Value[index];
        var definition = BackboneCatalog.Find(name.Split(' ')[0]);
        var network = definition.Build().WithInputSize(fixture.GetProperty("height").GetInt32(), fixture.GetProperty("width").GetInt32());
        Assert.Equal(fixture.GetProperty("parameters").GetInt64(), LayerTable.Of(network).Parameters);
        Assert.Equal(fixture.GetProperty("keys_sha256").GetString(), HashOfKeys(network));

        using var module = new TorchNetwork(network, new FormulaWeights(keras: false, fixture.GetProperty("gain").GetDouble()));
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        var shape = network.InputShape;
        var input = tensor(FormulaWeights.Input(2 * shape.ElementCount)).reshape(2, shape.Channels, shape.Height, shape.Width);
        var outputs = module.Activations(input, [network.CutBefore(definition.Head).Output.Name, network.Output.Name]);

        AssertSummary("features", outputs[0].dim() == 4 ? outputs[0].mean([2, 3]) : outputs[0]);
        if (fixture.GetProperty("logits").ValueKind != JsonValueKind.Null) AssertSummary("logits", outputs[1]);

        void AssertSummary(string what, Tensor actual)
        {
            var expected = fixture.GetProperty(what);
            var deviation = expected.GetProperty("std").GetDouble();
            Assert.Equal(expected.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64()), actual.shape);
            Agreement.AssertClose(
                what, [.. expected.GetProperty("first").EnumerateArray().Select(value => value.GetSingle())],
                [.. actual.contiguous().data<float>().Take(16)], Tolerance * deviation);
            Assert.Equal(expected.GetProperty("mean").GetDouble(), actual.mean().item<float>(), Tolerance * deviation);
            Assert.Equal(deviation, actual.std(unbiased: false).item<float>(), Tolerance * deviation);
        }
    }

    private static string HashOfKeys(Network network)
    {
        var lines = network.Parameters.Select(parameter => $"{parameter.Key} {string.Join(',', parameter.Shape)}\n").Order(StringComparer.Ordinal);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines))));
    }
}
