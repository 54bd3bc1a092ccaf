using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>The main job on real photographs, with real weights.</summary>
public sealed class RealPhotosTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private GraftCommand Graft => new(_folder.FullName);

    public void Dispose() => _folder.Dispose();

    [SharedFact("weights/keras/mobilenet_7_5_224_tf.h5")]
    public void Trashnet_with_mobilenet_v1_is_as_good_as_logistic_regression_on_pytorch_features()
    {
        string[] arguments =
        [
            "train", SharedFolder.Path("data/trashnet"), "--backbone", "mobilenet_v1_075",
            "--weights", SharedFolder.Path("weights/keras/mobilenet_7_5_224_tf.h5"), "--json",
        ];
        var first = Graft.Run(TimeSpan.FromMinutes(10), [.. arguments, "--out", _folder.File("first")]);
        Assert.True(first.ExitCode == 0, first.ToString());
        Assert.Equal(240, first.Json.GetProperty("images").GetProperty("test").GetInt32());
        // bench/peers/logistic_regression.py: 72.9 % with scikit-learn's default, C = 1.
        Assert.True(first.Json.GetProperty("test").GetProperty("accuracy").GetDouble() > 0.729 - 0.015, first.ToString());

        var second = Graft.Run([.. arguments, "--out", _folder.File("second")]);
        Assert.Equal(0, second.Json.GetProperty("cache").GetProperty("misses").GetInt32());
        Assert.Equal(File.ReadAllBytes(_folder.File("first/model.safetensors")), File.ReadAllBytes(_folder.File("second/model.safetensors")));
    }

    [SharedFact("data/hostile")]
    public void Hostile_files_among_real_photos_are_skipped_with_their_reasons()
    {
        foreach (var name in (string[])["glass", "paper"])
            foreach (var photo in Directory.GetFiles(SharedFolder.Path($"data/trashnet/train/{name}")).Take(40))
                File.Copy(photo, _folder.File($"calm/{name}/{Path.GetFileName(photo)}"));
        foreach (var file in Directory.GetFiles(_folder.File("calm"), "*", SearchOption.AllDirectories))
            File.Copy(file, _folder.File(Path.Combine("mixed", Path.GetRelativePath(_folder.File("calm"), file))));
        var hostile = Directory.GetFiles(SharedFolder.Path("data/hostile"), "*", SearchOption.AllDirectories)
            .Where(file => !file.EndsWith(".tsv", StringComparison.Ordinal)).ToList();
        foreach (var file in hostile)
            File.Copy(file, _folder.File($"mixed/{(hostile.IndexOf(file) % 2 == 0 ? "glass" : "paper")}/{Path.GetFileName(file)}"));

        var calm = Graft.Run("train", _folder.File("calm"), "--backbone", "tiny", "--out", _folder.File("calm-run"), "--json");
        var mixed = Graft.Run(TimeSpan.FromMinutes(3), "train", _folder.File("mixed"), "--out", _folder.File("mixed-run"), "--json");

        Assert.True(mixed.ExitCode == 0, mixed.ToString());
        Assert.InRange(mixed.PeakBytes, 1, calm.PeakBytes + 1_500_000_000);
        var images = mixed.Json.GetProperty("images");
        var skipped = images.GetProperty("skipped").GetInt32();
        Assert.Equal(80 + hostile.Count, skipped + images.GetProperty("train").GetInt32() + images.GetProperty("validation").GetInt32());
        var listed = File.ReadAllLines(_folder.File("mixed-run/skipped.csv"));
        Assert.Equal(skipped + 1, listed.Length);
        Assert.All(listed, line => Assert.Matches("^path,reason$|^\".+\",\".+\"$", line));
        Assert.InRange(skipped, 20, hostile.Count);
    }

    /// <summary>And the default, which downloads nothing, is as good as logistic regression on its features: 88.5 % with scikit-learn's C = 1.</summary>
    [SharedFact("data/flowers5")]
    public void Memory_does_not_grow_with_the_number_of_photos()
    {
        var few = Graft.Run(TimeSpan.FromMinutes(5), "train", SharedFolder.Path("data/trashnet"), "--out", _folder.File("few"));
        var many = Graft.Run(TimeSpan.FromMinutes(10), "train", SharedFolder.Path("data/flowers5"), "--out", _folder.File("many"), "--json");

        Assert.True(few.ExitCode == 0 && many.ExitCode == 0, $"{few}\n{many}");
        Assert.InRange(many.PeakBytes, 1, few.PeakBytes + 150_000_000);
        Assert.InRange(many.Json.GetProperty("validation").GetProperty("accuracy").GetDouble(), 0.885, 1);
    }
}
