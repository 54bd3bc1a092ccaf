using System.Buffers;
using System.Text.Json;
using Graft.Imaging;
using Graft.Inference;

namespace Graft.Cli.Serve;

/// <summary>A request of the Open Inference Protocol v2: the pixels of one photo.</summary>
/// <param name="Id">As the client named the request; empty where it did not.</param>
internal sealed record InferenceRequest(string Id, RgbImage Photo)
{
    /// <summary>Reads it token by token: as a tree, a number would take a hundred times the room that it has in the body.</summary>
    /// <exception cref="Refusal">It does not follow the protocol, or the photo is too large.</exception>
    public static InferenceRequest Parse(ReadOnlySpan<byte> json, long maxPixels)
    {
        try
        {
            var (id, photo) = ("", default(RgbImage));
            var reader = new Utf8JsonReader(json);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new Refusal(400, "Expected a JSON object.");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("id"))
                {
                    reader.Read();
                    id = reader.GetString() ?? "";
                }
                else if (reader.ValueTextEquals("inputs"))
                {
                    photo = reader.Read() && reader.TokenType == JsonTokenType.StartArray && reader.Read() && reader.TokenType == JsonTokenType.StartObject
                        ? PhotoOf(ref reader, maxPixels)
                        : throw OneInput();
                    if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray) throw OneInput();
                }
                else
                {
                    reader.Skip();
                }
            }
            return photo is null ? throw OneInput() : new(id, photo);
        }
        catch (JsonException problem)
        {
            throw new Refusal(400, $"The request is not JSON: {problem.Message}");
        }
        catch (Exception problem) when (problem is InvalidOperationException or FormatException)
        {
            throw new Refusal(400, $"The request does not follow the Open Inference Protocol: {problem.Message}");
        }

        static Refusal OneInput() => new(400, $"Expected one input, '{ModelMetadata.PhotoInput}'.");
    }

    private static RgbImage PhotoOf(ref Utf8JsonReader reader, long maxPixels)
    {
        var (name, type, shape, pixels) = ("", "", new List<int>(), new ArrayBufferWriter<byte>());
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("name")) name = Text(ref reader);
            else if (reader.ValueTextEquals("datatype")) type = Text(ref reader);
            else if (reader.ValueTextEquals("shape")) Sizes(ref reader, shape);
            else if (reader.ValueTextEquals("data")) Pixels(ref reader, pixels, 3 * maxPixels);
            else reader.Skip();
        }
        if (name != ModelMetadata.PhotoInput || type != "UINT8") throw new Refusal(400, $"Expected the input '{ModelMetadata.PhotoInput}' of datatype UINT8.");
        if (shape is not [1, > 0 and var height, > 0 and var width, 3]) throw new Refusal(400, "Expected the shape [1, height, width, 3].");
        if ((long)width * height > maxPixels) throw new Refusal(413, $"The photo has more than {maxPixels:N0} pixels.");
        return pixels.WrittenCount == 3L * width * height
            ? new(width, height, pixels.WrittenSpan.ToArray())
            : throw new Refusal(400, $"Expected {3L * width * height:N0} numbers of data, found {pixels.WrittenCount:N0}.");
    }

    private static string Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.GetString() ?? "";
    }

    private static void Sizes(ref Utf8JsonReader reader, List<int> shape)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartArray) throw new Refusal(400, "Expected the shape [1, height, width, 3].");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (shape.Count == 4) throw new Refusal(400, "Expected the shape [1, height, width, 3].");
            shape.Add(reader.GetInt32());
        }
    }

    /// <summary>Numbers in arrays of any depth, in their order.</summary>
    private static void Pixels(ref Utf8JsonReader reader, ArrayBufferWriter<byte> pixels, long most)
    {
        var depth = 0;
        do
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartArray) depth++;
            else if (reader.TokenType == JsonTokenType.EndArray) depth--;
            else if (reader.TokenType != JsonTokenType.Number || !reader.TryGetByte(out var value)) throw new Refusal(400, "Expected numbers from 0 to 255 in data.");
            else if (pixels.WrittenCount == most) throw new Refusal(413, $"The photo has more than {most / 3:N0} pixels.");
            else pixels.Write([value]);
        }
        while (depth > 0);
    }
}
