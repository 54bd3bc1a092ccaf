namespace Graft;

/// <summary>How far a long step is.</summary>
/// <param name="Step">What is being done, for a person: "features".</param>
/// <param name="Done">Units done, of <paramref name="Total"/>.</param>
/// <param name="Total">Units in all.</param>
/// <param name="Unit">What is counted: "images", "epochs".</param>
/// <param name="Note">The state in a few words, such as the loss; may be empty.</param>
public sealed record StepProgress(string Step, int Done, int Total, string Unit, string Note = "");
