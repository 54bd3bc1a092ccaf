using System.Text.Json;
using System.Text.Json.Serialization;

namespace Graft.Imaging;

/// <summary>
/// A number for each colour plane, in the network's <see cref="ChannelOrder"/>; in JSON an array of three.
/// </summary>
[JsonConverter(typeof(ChannelValuesConverter))]
public readonly record struct ChannelValues(double First, double Second, double Third)
{
    public double this[int channel] => channel switch
    {
        0 => First,
        1 => Second,
        2 => Third,
        _ => throw new ArgumentOutOfRangeException(nameof(channel), channel, "Expected channel 0, 1 or 2."),
    };

    public static ChannelValues Same(double value) => new(value, value, value);

    public override string ToString() => $"[{First}, {Second}, {Third}]";
}

internal sealed class ChannelValuesConverter : JsonConverter<ChannelValues>
{
    public override ChannelValues Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        JsonSerializer.Deserialize<double[]>(ref reader, options) is [var first, var second, var third]
            ? new(first, second, third)
            : throw new JsonException("Expected an array of three numbers, one for each colour plane.");

    public override void Write(Utf8JsonWriter writer, ChannelValues value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        for (var channel = 0; channel < 3; channel++) writer.WriteNumberValue(value[channel]);
        writer.WriteEndArray();
    }
}
