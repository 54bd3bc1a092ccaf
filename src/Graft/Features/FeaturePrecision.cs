using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;

namespace Graft.Features;

/// <summary>How the numbers of features are kept.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "As with TensorType, named after what is held.")]
[JsonConverter(typeof(JsonStringEnumConverter<FeaturePrecision>))]
public enum FeaturePrecision
{
    /// <summary>As they were computed.</summary>
    [JsonStringEnumMemberName("float32")] Float32,

    /// <summary>
    /// Half the space, 11 significant bits. Features of an image with a number beyond ±65,504, which float16 does not reach, are kept as
    /// float32.
    /// </summary>
    [JsonStringEnumMemberName("float16")] Float16,
}

public static class FeaturePrecisionExtensions
{
    /// <summary>
    /// Rounds an image's features to what the cache will give back, so that a run that computes them and one that reads them see the same.
    /// </summary>
    public static void Round(this FeaturePrecision precision, Span<float> features)
    {
        if (precision == FeaturePrecision.Float32 || !FitsHalf(features)) return;
        for (var i = 0; i < features.Length; i++) features[i] = (float)(Half)features[i];
    }

    internal static string Name(this FeaturePrecision precision) => precision == FeaturePrecision.Float16 ? "float16" : "float32";

    /// <summary>The bytes to keep, little-endian.</summary>
    internal static byte[] Encode(this FeaturePrecision precision, ReadOnlySpan<float> features)
    {
        if (precision == FeaturePrecision.Float32 || !FitsHalf(features)) return MemoryMarshal.AsBytes(features).ToArray();
        var content = new byte[features.Length * 2];
        var halves = MemoryMarshal.Cast<byte, Half>(content.AsSpan());
        for (var i = 0; i < features.Length; i++) halves[i] = (Half)features[i];
        return content;
    }

    /// <summary>False where the bytes are not of that many numbers.</summary>
    internal static bool TryDecode(ReadOnlySpan<byte> content, Span<float> features)
    {
        if (content.Length == features.Length * sizeof(float))
        {
            content.CopyTo(MemoryMarshal.AsBytes(features));
            return true;
        }
        if (content.Length != features.Length * 2) return false;
        var halves = MemoryMarshal.Cast<byte, Half>(content);
        for (var i = 0; i < features.Length; i++) features[i] = (float)halves[i];
        return true;
    }

    private static bool FitsHalf(ReadOnlySpan<float> features)
    {
        foreach (var value in features)
            if (float.IsFinite(value) && Half.IsInfinity((Half)value)) return false;
        return true;
    }
}
