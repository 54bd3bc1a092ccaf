using System.Globalization;

namespace Graft.Features;

/// <summary>How features are kept on disk.</summary>
public sealed record FeatureCacheOptions
{
    /// <summary>10 GB: two million images of a network with 1,280 features.</summary>
    public const long DefaultLimitBytes = 10_000_000_000;

    /// <summary>
    /// The most bytes of features to keep, 0 for nothing new. What was used least recently, by the day, makes room. Default
    /// <see cref="DefaultLimitBytes"/>.
    /// </summary>
    public long LimitBytes { get; init; } = DefaultLimitBytes;

    /// <summary>How new features are kept; those kept otherwise are not looked at. Default float32.</summary>
    public FeaturePrecision Precision { get; init; } = FeaturePrecision.Float32;

    /// <summary>Told, in a sentence, of damage found and of a limit reached.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>Tells the day of use.</summary>
    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Pages after which the disk counts as full; null for the disk's own end.</summary>
    internal int? DiskPages { get; init; }

    /// <summary>The defaults with the limit that <c>GRAFT_CACHE_LIMIT</c> names (<c>500MB</c>, <c>20GB</c>), if it is set.</summary>
    /// <exception cref="GraftException">It is no size.</exception>
    public static FeatureCacheOptions FromEnvironment() => FromEnvironment(Environment.GetEnvironmentVariable);

    internal static FeatureCacheOptions FromEnvironment(Func<string, string?> variable) =>
        variable("GRAFT_CACHE_LIMIT")?.Trim() is { Length: > 0 } text ? new() { LimitBytes = ParseSize(text) } : new();

    private static long ParseSize(string text)
    {
        var number = text.TrimEnd([.. "kmgtbKMGTB "]);
        var factor = text[number.Length..].Trim().ToUpperInvariant() switch
        {
            "" or "B" => 1,
            "K" or "KB" => 1e3,
            "M" or "MB" => 1e6,
            "G" or "GB" => 1e9,
            "T" or "TB" => 1e12,
            _ => double.NaN,
        };
        var bytes = double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) ? value * factor : double.NaN;
        return bytes is >= 0 and < 1e18
            ? (long)bytes
            : throw new GraftException($"GRAFT_CACHE_LIMIT must be a size such as 500MB or 20GB, found '{text}'.");
    }
}
