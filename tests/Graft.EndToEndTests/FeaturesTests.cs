using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Graft.Testing;

namespace Graft.EndToEndTests;

/// <summary>Features on disk, whatever happens: killed, a full disk, damage, two at once.</summary>
public sealed class FeaturesTests(DrawnPhotos photos) : IClassFixture<DrawnPhotos>, IDisposable
{
    private const int Images = 72;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private GraftCommand NewHome(string name)
    {
        Directory.CreateDirectory(_folder.File(name));
        return new(_folder.File(name)) { WorkingFolder = _folder.FullName };
    }

    private string[] Extract(string file, params string[] more) => ["features", photos.Folder, "--backbone", "tiny", "--size", "128", "--out", _folder.File(file), "--json", .. more];

    private static (int Hits, int Misses) Cache(CommandResult result)
    {
        Assert.True(result.ExitCode == 0, result.ToString());
        var cache = result.Json.GetProperty("cache");
        return (cache.GetProperty("hits").GetInt32(), cache.GetProperty("misses").GetInt32());
    }

    [Theory]
    [InlineData("npz")]
    [InlineData("parquet")]
    [InlineData("safetensors")]
    public void Features_are_written_once_and_never_over_a_file(string kind)
    {
        var graft = NewHome("home");
        Assert.Equal((0, Images), Cache(graft.Run(Extract($"a.{kind}"))));
        Assert.Equal((Images, 0), Cache(graft.Run(Extract($"b.{kind}"))));
        Assert.Equal(File.ReadAllBytes(_folder.File($"a.{kind}")), File.ReadAllBytes(_folder.File($"b.{kind}")));

        var again = graft.Run(Extract($"a.{kind}"));

        Assert.Equal(2, again.ExitCode);
        Assert.Contains("exists already", again.Messages);
        Assert.Empty(Directory.GetFiles(_folder.FullName, "*.partial"));
    }

    [Fact]
    public void Layer_and_pooling_decide_the_numbers()
    {
        var graft = NewHome("home");
        foreach (var (pool, shape) in (ReadOnlySpan<(string, string)>)[("avg", "[48]"), ("max", "[48]"), ("flatten", "[3072]"), ("none", "[48,8,8]")])
        {
            var result = graft.Run(Extract($"{pool}.npz", "--layer", "features.13", "--pool", pool));
            Assert.True(result.ExitCode == 0, result.ToString());
            Assert.Equal(shape, JsonSerializer.Serialize(result.Json.GetProperty("shape")));
        }
        var all = NumpyFile.Load<float>(_folder.File("none.npz"), "features");
        Assert.Equal([Images, 48, 8, 8], all.Shape);
        Assert.Equal(all.Values, NumpyFile.Load<float>(_folder.File("flatten.npz"), "features").Values);
        var largest = NumpyFile.Load<float>(_folder.File("max.npz"), "features").Values;
        Assert.Equal(Enumerable.Range(0, Images * 48).Select(i => all.Values.AsSpan(i * 64, 64).ToArray().Max()), largest);

        var wrong = graft.Run(Extract("wrong.npz", "--layer", "featurs.13"));
        Assert.NotEqual(0, wrong.ExitCode);
        Assert.Contains("Did you mean features.13", wrong.Messages);

        var stats = graft.Run("cache", "stats");
        Assert.Contains("graft_mobilenet_v2_050", stats.Output);
        Assert.Contains("its maximum", stats.Output);
    }

    [Fact]
    public void Cache_is_shown_checked_and_cleared()
    {
        var graft = NewHome("home");
        Assert.Equal("The cache holds no features.", graft.Run("cache", "stats").Output.Trim());
        graft.Run(Extract("a.npz"));
        graft.Run(Extract("b.npz", "--cache-precision", "float16"));

        var spaces = graft.Run("cache", "stats", "--json").Json.GetProperty("spaces");
        Assert.Equal([Images * 1280 * 4, Images * 1280 * 2], spaces.EnumerateArray().Select(space => space.GetProperty("bytes").GetInt32()));
        Assert.Equal(["float32", "float16"], spaces.EnumerateArray().Select(space => space.GetProperty("precision").GetString()));
        Assert.Equal(0, graft.Run("cache", "verify").ExitCode);
        Assert.Equal(2, graft.Run("cache", "clear", "--space", "nothing").ExitCode);
        Assert.Contains("Nothing to remove", graft.Run("cache", "clear", "--older-than", "1").Output);

        var removed = graft.Run("cache", "clear", "--space", "graft_mobilenet_v2_050", "--json");

        Assert.Equal(2, removed.Json.GetProperty("removed").GetArrayLength());
        Assert.Equal((0, Images), Cache(graft.Run(Extract("c.npz"))));
        Assert.Equal(File.ReadAllBytes(_folder.File("a.npz")), File.ReadAllBytes(_folder.File("c.npz")));
    }

    /// <summary><c>GRAFT_TEST_KILLS</c> names another number of kills; fifty take some minutes.</summary>
    [Fact]
    public void Extraction_killed_at_random_moments_ends_with_the_features_of_an_undisturbed_one()
    {
        var kills = int.Parse(Environment.GetEnvironmentVariable("GRAFT_TEST_KILLS") ?? "4", CultureInfo.InvariantCulture);
        var clock = Stopwatch.StartNew();
        Assert.Equal((0, Images), Cache(NewHome("undisturbed").Run(Extract("undisturbed.npz"))));
        var whole = clock.Elapsed;
        var random = new Random(kills);
        var (graft, round) = (NewHome("killed"), 0);
        for (var killed = 0; killed < kills;)
        {
            using var process = graft.Start(Extract("killed.npz"));
            if (!process.WaitForExit(random.NextDouble() * whole))
            {
                process.Kill();
                process.WaitForExit();
                killed++;
            }
            // It was faster than the first: the rest of the kills begin anew.
            if (!File.Exists(_folder.File("killed.npz"))) continue;
            Compare();
            Assert.Equal(0, graft.Run("cache", "clear").ExitCode);
        }

        Assert.True(graft.Run(Extract("killed.npz")).ExitCode == 0);
        Compare();
        Assert.Equal(0, graft.Run("cache", "verify").ExitCode);
        Assert.Empty(Directory.GetFiles(_folder.FullName, "*.damaged*", SearchOption.AllDirectories));

        void Compare()
        {
            Assert.Equal(File.ReadAllBytes(_folder.File("undisturbed.npz")), File.ReadAllBytes(_folder.File("killed.npz")));
            File.Move(_folder.File("killed.npz"), _folder.File($"killed{round++}.npz"));
        }
    }

    [Fact]
    public void Two_processes_share_the_cache()
    {
        var graft = NewHome("home");
        using var first = graft.Start(Extract("a.npz"));
        using var second = graft.Start(Extract("b.npz"));
        foreach (var process in (Process[])[first, second])
        {
            var messages = process.StandardError.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, messages);
            Assert.DoesNotContain("warning", messages);
        }

        Assert.Equal(File.ReadAllBytes(_folder.File("a.npz")), File.ReadAllBytes(_folder.File("b.npz")));
        Assert.Equal((Images, 0), Cache(graft.Run(Extract("c.npz"))));
        Assert.Equal(0, graft.Run("cache", "verify").ExitCode);
    }

    [Fact]
    public void Damaged_feature_is_said_and_computed_again()
    {
        var graft = NewHome("home");
        graft.Run(Extract("a.npz"));
        var database = _folder.File("home/features/features.sqlite");
        var bytes = File.ReadAllBytes(database);
        var features = NumpyFile.Load<float>(_folder.File("a.npz"), "features").Values;
        var place = bytes.AsSpan().IndexOf(System.Runtime.InteropServices.MemoryMarshal.AsBytes(features.AsSpan(1280 * 10 + 1000, 50)));
        bytes[place + 100] ^= 1;
        File.WriteAllBytes(database, bytes);

        var result = graft.Run(Extract("b.npz"));

        Assert.Equal((Images - 1, 1), Cache(result));
        Assert.Contains("1 damaged feature", result.Messages);
        var (before, after) = (features, NumpyFile.Load<float>(_folder.File("b.npz"), "features").Values);
        // Alone in its batch it may be rounded otherwise.
        for (var i = 0; i < before.Length; i++) Assert.Equal(before[i], after[i], 1e-4);
        Assert.Equal((Images, 0), Cache(graft.Run(Extract("c.npz"))));
        Assert.Equal(File.ReadAllBytes(_folder.File("b.npz")), File.ReadAllBytes(_folder.File("c.npz")));
    }

    [Fact]
    public void Full_disk_costs_the_cache_and_not_the_run()
    {
        var disk = _folder.File("disk");
        Directory.CreateDirectory(disk);
        Assert.SkipUnless(OperatingSystem.IsLinux() && Mount("mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk), "needs the right to mount a small disk");
        try
        {
            var graft = new GraftCommand(disk) { WorkingFolder = _folder.FullName };
            // What is unpacked there besides has its place elsewhere.
            var home = NewHome("roomy");
            Assert.Equal((0, Images), Cache(home.Run(Extract("whole.npz"))));
            Directory.CreateDirectory(Path.Combine(disk, "features"));
            foreach (var other in Directory.GetDirectories(_folder.File("roomy")).Where(folder => Path.GetFileName(folder) != "features"))
                Directory.CreateSymbolicLink(Path.Combine(disk, Path.GetFileName(other)), other);

            var result = graft.Run(Extract("full.npz"));

            Assert.Equal((0, Images), Cache(result));
            Assert.Single(result.Messages.Split('\n'), line => line.Contains("without the cache", StringComparison.Ordinal));
            Assert.Equal(File.ReadAllBytes(_folder.File("whole.npz")), File.ReadAllBytes(_folder.File("full.npz")));
        }
        finally
        {
            Mount("umount", disk);
        }

        static bool Mount(string program, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
    }

    [Fact]
    public void Combination_of_backbones_is_trained_evaluated_and_exported()
    {
        var graft = NewHome("home");
        // One network in two sizes: what else there is without downloads.
        string[] both = ["--backbone", "graft_mobilenet_v2_050+graft_mobilenet_v2_050.graft", "--size", "graft_mobilenet_v2_050.graft=96"];
        var train = graft.Run(["train", photos.Folder, .. both, "--out", _folder.File("run"), "--json"]);
        Assert.Equal((0, 2 * Images), Cache(train));

        var evaluation = graft.Run("evaluate", _folder.File("run"), photos.Folder, "--json");
        Assert.Equal((2 * 24, 0), Cache(evaluation));
        Assert.Equal(
            train.Json.GetProperty("test").GetProperty("accuracy").GetDouble(), evaluation.Json.GetProperty("accuracy").GetDouble());

        var export = graft.Run(["features", photos.Folder, .. both, "--out", _folder.File("both.npz"), "--json"]);
        Assert.Equal((2 * Images, 0), Cache(export));
        Assert.Equal([Images, 2560], NumpyFile.Load<float>(_folder.File("both.npz"), "features").Shape);
    }

    [Theory]
    [InlineData("--weights", "some.pth", "which network of the combination")]
    [InlineData("--weights", "vgg16=some.pth", "does not name")]
    [InlineData("--size", "graft_mobilenet_v2_050=big", "from 8 to 4096")]
    [InlineData("--preprocessing", "magic", "torchvision")]
    [InlineData("--pool", "none", "joins vectors")]
    public void Option_that_does_not_fit_a_combination_is_refused(string option, string value, string words)
    {
        var result = NewHome("home").Run(
            "features", photos.Folder, "--backbone", "graft_mobilenet_v2_050+graft_mobilenet_v2_050.graft", "--out", _folder.File("x.npz"), option, value);

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(words, result.Messages);
    }
}
