namespace Graft.Data;

/// <summary>Thresholds of a data check. The defaults were set on photographs and report few good ones.</summary>
public sealed record DataCheckOptions
{
    /// <summary>Bits of the perceptual hash in which two pictures of one photo may differ: 0 to 20, default 8 of 63.</summary>
    public int LargestHashDistance { get; init; } = 8;

    /// <summary>
    /// Least correlation of the gray values of two pictures of one photo, at 32×32: 0.9 to 1, default 0.97. Re-encoding and resizing leave
    /// 0.975 and more; two photos of one thing in a row may have as much.
    /// </summary>
    public double LeastCorrelation { get; init; } = 0.97;

    /// <summary>Standard deviation of the brightness (0 to 255) below which a picture is blank. Default 3.</summary>
    public double BlankContrast { get; init; } = 3;

    /// <summary>Mean brightness (0 to 255) below which a picture is dark. Default 20.</summary>
    public double DarkBrightness { get; init; } = 20;

    /// <summary>Variance of the Laplacian, at most 256 pixels long, below which a picture is blurred. Default 10.</summary>
    public double BlurredSharpness { get; init; } = 10;

    /// <summary>A picture with a shorter side of fewer pixels is tiny. Default 64.</summary>
    public int TinySidePixels { get; init; } = 64;

    /// <summary>Largest ratio of the longer side to the shorter one; beyond it, an image is oddly shaped. At least 1, default 3.</summary>
    public double OddAspect { get; init; } = 3;

    /// <summary>Largest ratio of the largest class to the smallest; beyond it, the classes are imbalanced. At least 1, default 10.</summary>
    public double Imbalance { get; init; } = 10;

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (LargestHashDistance is < 0 or > 20) problems.Add($"Expected a hash distance from 0 to 20, found {LargestHashDistance}.");
        if (LeastCorrelation is not (>= 0.9 and <= 1)) problems.Add($"Expected a correlation from 0.9 to 1, found {LeastCorrelation}.");
        if (!(BlankContrast >= 0)) problems.Add($"Expected a contrast of at least 0, found {BlankContrast}.");
        if (!(DarkBrightness >= 0)) problems.Add($"Expected a brightness of at least 0, found {DarkBrightness}.");
        if (!(BlurredSharpness >= 0)) problems.Add($"Expected a sharpness of at least 0, found {BlurredSharpness}.");
        if (TinySidePixels < 0) problems.Add($"Expected a side of at least 0 pixels, found {TinySidePixels}.");
        if (!(OddAspect >= 1)) problems.Add($"Expected an aspect of at least 1, found {OddAspect}.");
        if (!(Imbalance >= 1)) problems.Add($"Expected an imbalance of at least 1, found {Imbalance}.");
        return problems;
    }
}
