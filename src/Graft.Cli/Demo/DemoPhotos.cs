namespace Graft.Cli.Demo;

/// <summary>
/// The photo-like pictures of <c>graft demo</c>, drawn here: nothing is downloaded. Classes differ in outline and
/// texture; color, light, pose, place and camera vary alike for all of them.
/// </summary>
internal static class DemoPhotos
{
    private enum Split { Train, Validation, Test, New }

    public static IReadOnlyList<string> Classes { get; } = [.. Subjects.All.Select(subject => subject.Class)];

    /// <summary>
    /// Writes <c>train/CLASS/CLASS-001.jpg</c> and so on, likewise <c>validation</c> and <c>test</c> (a folder whose
    /// count is 0 is not made), square pictures of the given side. A picture depends on the seed, its folder, its class
    /// and its number alone, so more pictures never change the ones that were there.
    /// </summary>
    public static void Draw(
        string folder, int trainPerClass, int validationPerClass, int testPerClass, int seed, int sizePixels = 128,
        CancellationToken cancellation = default)
    {
        var photos =
            from part in new (Split Split, int Count)[]
            {
                (Split.Train, trainPerClass), (Split.Validation, validationPerClass), (Split.Test, testPerClass),
            }
            from name in Classes
            from number in Enumerable.Range(1, part.Count)
            select (part.Split, Class: name, Number: number);
        Parallel.ForEach(photos, new ParallelOptions { CancellationToken = cancellation }, photo =>
        {
            var classFolder = Path.Combine(folder, photo.Split.ToString().ToLowerInvariant(), photo.Class);
            Directory.CreateDirectory(classFolder);
            WholeFile.Write(
                Path.Combine(classFolder, $"{photo.Class}-{photo.Number:000}.jpg"),
                DrawOne(photo.Class, photo.Split, photo.Number, seed, sizePixels).AsMemory());
        });
    }

    /// <summary>One more picture, in no folder that <see cref="Draw"/> writes: the bytes of a JPEG file.</summary>
    public static byte[] DrawOne(string className, int seed, int sizePixels = 128) =>
        DrawOne(className, Split.New, 0, seed, sizePixels);

    private static byte[] DrawOne(string className, Split split, int number, int seed, int sizePixels)
    {
        var (label, subject) = Subjects.All.Index().FirstOrDefault(entry => entry.Item.Class == className);
        if (subject.Draw is null)
            throw new ArgumentException($"Expected one of {string.Join(", ", Classes)}, found '{className}'.");
        var random = Sampling.Seeded(seed, (int)split, label, number);
        using var scene = Scene.Compose(subject.Draw, random, sizePixels);
        return Camera.Photograph(scene, random);
    }
}
