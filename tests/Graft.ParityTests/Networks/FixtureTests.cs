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
        new(Fixtures.Value.Index().Where(fixture => fixture.Item.TryGetProperty("features", out _))
            .Select(fixture => (fixture.Index, $"{fixture.Item.GetProperty("name")} {fixture.Item.GetProperty("height")}×{fixture.Item.GetProperty("width")}")));

    /// <summary>Variants of a table, of which another is computed.</summary>
    public static TheoryData<int, string> TableRows =>
        new(Fixtures.Value.Index().Where(fixture => !fixture.Item.TryGetProperty("features", out _))
            .Select(fixture => (fixture.Index, fixture.Item.GetProperty("name").GetString()!)));

    [Theory]
    [MemberData(nameof(TableRows))]
    public void Variant_has_the_keys_and_shapes_of_its_library(int index, string name)
    {
        var definition = BackboneCatalog.Find(name);
        var parameters = Parameters(definition);

        Assert.Equal(
            Fixtures.Value[index].GetProperty("parameters").GetInt64(),
            parameters.Where(parameter => !parameter.IsStatistic).Sum(parameter => (long)parameter.ElementCount));
        Assert.Contains(Fixtures.Value[index].GetProperty("keys_sha256").GetString(), Namings(definition).Select(names => HashOfKeys(parameters, names)));
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Network_agrees_with_its_fixture(int index, string name)
    {
        var fixture = Fixtures.Value[index];
        var definition = BackboneCatalog.Find(name.Split(' ')[0]);
        var network = definition.Build().WithInputSize(fixture.GetProperty("height").GetInt32(), fixture.GetProperty("width").GetInt32());
        var parameters = Parameters(definition);
        Assert.Equal(
            fixture.GetProperty("parameters").GetInt64(), parameters.Where(parameter => !parameter.IsStatistic).Sum(parameter => (long)parameter.ElementCount));
        var names = Namings(definition).FirstOrDefault(names => HashOfKeys(parameters, names) == fixture.GetProperty("keys_sha256").GetString());
        Assert.NotNull(names);

        using var module = new TorchNetwork(network, new FormulaWeights(keras: false, fixture.GetProperty("gain").GetDouble(), names));
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

    /// <summary>Those of a second head included, which is in the library's files too.</summary>
    private static List<Parameter> Parameters(BackboneDefinition definition) =>
        [.. definition.Build().Parameters, .. definition.Auxiliary?.Invoke().Parameters ?? []];

    private static IEnumerable<IReadOnlyDictionary<string, string>> Namings(BackboneDefinition definition) =>
    [
        new Dictionary<string, string>(),
        .. definition.OtherKeys.Select(map => Parameters(definition).ToDictionary(parameter => parameter.Key, parameter => string.Join('+', map.PartOf(parameter).Tensors))),
    ];

    private static string HashOfKeys(IEnumerable<Parameter> parameters, IReadOnlyDictionary<string, string> names)
    {
        var lines = parameters.Select(parameter => $"{names.GetValueOrDefault(parameter.Key, parameter.Key)} {string.Join(',', parameter.Shape)}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines.Order(StringComparer.Ordinal)))));
    }
}
