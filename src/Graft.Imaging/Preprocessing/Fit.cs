namespace Graft.Imaging;

/// <summary>What to do with a photo whose shape is not the network's.</summary>
public enum Fit
{
    /// <summary>The shorter side fits, and what sticks out is cut off on both sides: <see cref="ResizeRule.ShorterSideThenCrop"/>.</summary>
    Crop,

    /// <summary>The longer side fits, and the rest is one color: <see cref="ResizeRule.LongerSideThenPad"/>.</summary>
    Pad,

    /// <summary>The whole photo at another aspect ratio: <see cref="ResizeRule.Stretch"/>.</summary>
    Stretch,
}
