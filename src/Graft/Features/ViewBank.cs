using Graft.Imaging;

namespace Graft.Features;

/// <summary>
/// Augmented views of each training image, whose features are computed once and kept like any others, so that a head trains on varied images
/// at the speed of cached features.
/// </summary>
/// <param name="Augmentation">How views differ from the image.</param>
/// <param name="Views">How many of each image, at least 1. A larger bank begins with the views of a smaller one.</param>
/// <param name="Seed">What views are drawn from, with the image's content and the view's number.</param>
public sealed record ViewBank(Augmentation Augmentation, int Views, int Seed = 1)
{
    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = Augmentation.Problems().ToList();
        if (Views is < 1 or > 1000) problems.Add($"Expected 1 to 1000 views, found {Views}.");
        if (Augmentation.IsNone) problems.Add("Expected an augmentation that changes something: views of 'none' are all the image itself.");
        return problems;
    }

    /// <summary>A view of an image at input size; view 0 is the image itself.</summary>
    internal RgbImage View(RgbImage image, byte[] hash, int view) => Augmentation.Apply(image, Seed, Augmentation.PictureKey(hash), view);

    /// <summary>Equal for the same view of every image, and different otherwise.</summary>
    internal string Identity(int view) => $"{Augmentation.ToJson()} seed {Seed} view {view}";
}
