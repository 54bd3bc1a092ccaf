namespace Graft.Imaging;

/// <summary>What is drawn for a view. Numbers are part of what a seed means: append, never renumber.</summary>
internal enum Draw
{
    HorizontalFlip,
    VerticalFlip,
    Rotation,
    ShiftX,
    ShiftY,
    Zoom,
    CropArea,
    CropAspect,
    CropX,
    CropY,
    Brightness,
    Contrast,
    Color,
    CutoutX,
    CutoutY,
}

/// <summary>
/// The random numbers of one view of one picture, each a function of seed, picture, view and purpose alone: no order of drawing, so that
/// one option's change leaves what the others draw as it is.
/// </summary>
internal readonly struct ViewDraws(int seed, ulong picture, int view)
{
    private const ulong Step = 0x9E3779B97F4A7C15;

    private readonly ulong _key = Mix(Mix(Mix((uint)seed) + picture) + (uint)view);

    /// <summary>Uniform in [0, 1).</summary>
    public double Uniform(Draw draw) => (Mix(_key + (ulong)draw * Step) >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [-1, 1).</summary>
    public double Symmetric(Draw draw) => 2 * Uniform(draw) - 1;

    /// <summary>A step of SplitMix64 (Steele, Lea and Flood 2014): every bit of the result depends on every bit of the state.</summary>
    private static ulong Mix(ulong state)
    {
        var mixed = state + Step;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }
}
