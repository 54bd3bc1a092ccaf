using Graft.Studio;
using Graft.Testing;

namespace Graft.EndToEndTests;

public sealed class StudioProjectTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public StudioProjectTests()
    {
        foreach (var name in new[] { "a", "b" })
        {
            Directory.CreateDirectory(_folder.File($"photos/{name}"));
            File.WriteAllText(_folder.File($"photos/{name}/1.jpg"), "a photo, for whoever does not look");
        }
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Beginning_to_keep_makes_nothing_old_that_was_learned_from_the_labels()
    {
        using var project = Project.Open(_folder.File("photos"));
        var before = project.Labeling;

        project.BeginKeeping();

        Assert.Same(before, project.Labeling);
    }

    [Fact]
    public void Labels_that_another_studio_kept_meanwhile_are_told_of()
    {
        using var project = Project.Open(_folder.File("photos"));
        using (var other = Project.Open(_folder.File("photos"))) other.Label([other.Labeling.Photos[0]], "b");
        var told = 0;
        project.Changed += () => told++;

        project.BeginKeeping();

        Assert.Equal((1, "b"), (told, project.Labeling.Labels[0]));
    }
}
