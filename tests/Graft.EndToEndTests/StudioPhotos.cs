using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>Photos for tests of the studio, in a folder of the test's.</summary>
internal sealed class StudioPhotos(TemporaryFolder folder)
{
    /// <summary>Real photos; drawn ones where pictures of the page are made to be published.</summary>
    public string[] Flowers(string name, int count)
    {
        if (StudioPage.Screenshots is null) return [.. Directory.GetFiles(SharedFolder.Path($"data/flowers5/train/{name}")).Order(StringComparer.Ordinal).Take(count)];
        var published = folder.File("published");
        if (!Directory.Exists(published)) Cli.Demo.DemoPhotos.Draw(published, trainPerClass: 50, validationPerClass: 0, testPerClass: 1, seed: 9, sizePixels: 224);
        return [.. Directory.GetFiles(Path.Combine(published, "train", Named(name))).Order(StringComparer.Ordinal).Take(count)];
    }

    public static string Named(string flower) => StudioPage.Screenshots is null ? flower : flower switch { "roses" => "fish", "tulips" => "snail", _ => "leaf" };

    public void Copy(string name, int count, string into, int skip = 0)
    {
        Directory.CreateDirectory(folder.File(into));
        foreach (var file in Flowers(name, count).Skip(skip)) File.Copy(file, Path.Combine(folder.File(into), Path.GetFileName(file)));
    }

    public string Drawn(bool other = false)
    {
        var drawn = folder.File("drawn");
        if (!Directory.Exists(drawn)) Cli.Demo.DemoPhotos.Draw(drawn, trainPerClass: 2, validationPerClass: 0, testPerClass: 1, seed: 5, sizePixels: 64);
        return Directory.GetFiles(drawn, "*.jpg", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ElementAt(other ? 1 : 0);
    }
}
