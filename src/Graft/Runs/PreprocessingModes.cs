using Graft.Imaging;

namespace Graft.Runs;

/// <summary>The usual ways to feed a network with photos, by name, for weights of which the catalog does not know how.</summary>
public static class PreprocessingModes
{
    private static readonly Dictionary<string, Func<int, Interpolation, Preprocessing>> Modes = new(StringComparer.Ordinal)
    {
        ["tf"] = Preprocessing.KerasTf,
        ["caffe"] = Preprocessing.KerasCaffe,
        ["torch"] = Preprocessing.KerasTorch,
        ["torchvision"] = (size, interpolation) => Preprocessing.Torchvision(size, (int)Math.Round(size / 0.875), interpolation),
        ["unit"] = Preprocessing.UnitRange,
    };

    public static IReadOnlyList<string> Names { get; } = [.. Modes.Keys];

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="size">Of the network's input, in pixels.</param>
    public static Preprocessing Of(string name, int size) => Modes[name](size, Interpolation.Bilinear);
}
