using System.Text.Json;
using System.Text.Json.Serialization;

namespace Graft.Imaging;

/// <summary>
/// A number for each color plane, in the network's <see cref="ChannelOrder"/>; in JSON an array of three.
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
    public override ChannelValues Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        Span<double> values = stackalloc double[3];
        if (reader.TokenType != JsonTokenType.StartArray) throw Unexpected();
        for (var channel = 0; channel < 3; channel++)
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.Number) throw Unexpected();
            values[channel] = reader.GetDouble();
        }
        return reader.Read() && reader.TokenType == JsonTokenType.EndArray ? new(values[0], values[1], values[2]) : throw Unexpected();
    }

    public override void Write(Utf8JsonWriter writer, ChannelValues value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        for (var channel = 0; channel < 3; channel++) writer.WriteNumberValue(value[channel]);
        writer.WriteEndArray();
    }

    private static JsonException Unexpected() => new("Expected an array of three numbers, one for each color plane.");
}
